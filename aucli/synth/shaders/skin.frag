#version 330
#include "surface.glsl"
uniform sampler2D u_skin;        // rgb: square root of the albedo; a: how glossy
uniform sampler2D u_strokes;     // r: brows, g: beard
uniform sampler2D u_wrinkles;    // r: height of all wrinkles together, scaled to [0, 1]
uniform sampler2D u_noise;       // four independent tileable noises
uniform float u_pores;
uniform float u_roughness;
uniform float u_scatter;
uniform vec3 u_hair_rgb;
uniform vec3 u_brow_rgb;
uniform vec3 u_beard_rgb;
uniform vec2 u_scalp_hair;       // how opaque, where the hairline lies (cm)

// Bump mapping from screen-space derivatives of a height (Mikkelsen 2010).
vec3 bumped(vec3 n, float height) {
    vec3 dx = dFdx(v_position), dy = dFdy(v_position);
    vec3 r1 = cross(dy, n), r2 = cross(n, dx);
    float det = dot(dx, r1);
    vec3 slope = sign(det) * (dFdx(height) * r1 + dFdy(height) * r2);
    return normalize(max(abs(det), 1e-9) * n - slope);
}

vec3 skin(vec3 n, vec3 v) {
    vec4 base = texture(u_skin, v_map);
    base.rgb *= base.rgb;
    vec4 hair = texture(u_strokes, v_map);
    vec4 fine = texture(u_noise, v_map * 9.0), coarse = texture(u_noise, v_map * 2.3);
    float wrinkles = (texture(u_wrinkles, v_map).r - 0.7) * 4.0;
    float height = 0.055 * wrinkles + u_pores * 0.006 * (fine.r + 0.5 * fine.g - 0.75) + 0.02 * hair.r;
    vec3 bent = bumped(n, height);
    float occlusion = clamp(1.0 - 0.9 * clamp(v_cavity, -0.25, 0.8), 0.3, 1.2) * clamp(1.0 + 0.55 * min(wrinkles, 0.0), 0.35, 1.0);
    vec3 albedo = base.rgb * mix(0.92, 1.08, coarse.b) * mix(0.95, 1.05, fine.a);
    albedo *= mix(vec3(1.0), vec3(1.0, 0.86, 0.82), clamp(-wrinkles * 0.5, 0.0, 1.0));
    albedo = mix(albedo, u_brow_rgb, hair.r);
    albedo = mix(albedo, u_beard_rgb, hair.g);
    float scalp = smoothstep(-0.4, 0.9, v_scalp - u_scalp_hair.y + 1.6 * (coarse.g - 0.5)) * u_scalp_hair.x;
    albedo = mix(albedo, u_hair_rgb * mix(0.5, 1.2, fine.b), scalp);
    float covered = max(max(hair.r, hair.g), scalp);
    float roughness = clamp(u_roughness - 0.28 * base.a + 0.15 * coarse.r, 0.18, 0.9);
    return shade(bent, v, albedo, mix(roughness, 0.8, covered), 0.028 + 0.02 * base.a, u_scatter * (1.0 - covered), occlusion);
}

void main() {
    // Lids are thin and fold: what turns its back is skin as well.
    vec3 n = gl_FrontFacing ? v_normal : -v_normal;
    f_rgba = vec4(develop(skin(normalize(n), normalize(u_camera - v_position))), 1.0);
}
