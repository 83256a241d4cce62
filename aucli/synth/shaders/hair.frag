#version 330
#include "lighting.glsl"
// A ribbon of hair: strands cut out of it by noise, two highlights along the tangent (Kajiya and Kay 1989).
uniform sampler2D u_noise;
uniform vec3 u_hair_rgb;
uniform vec3 u_hair_style;   // density, shine, variation of colour
in vec3 v_position;
in vec3 v_normal;
in vec3 v_tangent;
in vec3 v_strand;
out vec4 f_rgba;
void main() {
    vec4 noise = texture(u_noise, vec2(v_strand.x * 0.28 + v_strand.z, v_strand.y * 0.12 + 0.37 * v_strand.z));
    float side = 1.0 - abs(2.0 * v_strand.x - 1.0);
    float cover = side * 1.6 * u_hair_style.x + 0.9 * (noise.r - 0.5) - smoothstep(0.55, 1.0, v_strand.y) * 0.75;
    if (cover < 0.28) discard;
    vec3 v = normalize(u_camera - v_position);
    vec3 t = normalize(v_tangent + 0.25 * (noise.gbr - 0.5));
    vec3 n = normalize(v_normal);
    vec3 albedo = u_hair_rgb * mix(1.0, mix(0.5, 1.6, noise.g) * mix(0.75, 1.25, fract(v_strand.z * 7.31)), u_hair_style.z);
    float depth = mix(0.55, 1.0, smoothstep(0.0, 0.35, v_strand.y));
    vec3 radiance = albedo * environment(n) * depth;
    float shadow = mix(0.25, 1.0, lit(v_position + 0.25 * n, n));
    for (int i = 0; i < u_lights; i++) {
        vec3 l = u_light_direction[i];
        float tl = dot(t, l), tv = dot(t, v);
        float diffuse = sqrt(max(1.0 - tl * tl, 0.0)) * clamp(0.35 + 0.65 * dot(n, l), 0.0, 1.0);
        float lobe = max(sqrt(max(1.0 - tl * tl, 0.0)) * sqrt(max(1.0 - tv * tv, 0.0)) - tl * tv, 0.0);
        float l4 = lobe * lobe * lobe * lobe, l16 = l4 * l4 * l4 * l4, wide = l16, narrow = l16 * l16 * l16 * l16;
        vec3 shine = u_hair_style.y * (0.06 * narrow + 0.35 * albedo * wide) * clamp(0.3 + dot(n, l), 0.0, 1.0);
        radiance += u_light_rgb[i] * (i == 0 ? shadow : 1.0) * depth * (albedo * diffuse + shine);
    }
    f_rgba = vec4(develop(radiance), 1.0);
}
