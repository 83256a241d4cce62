#version 330
#include "lighting.glsl"
// Cloth, hats and frames: coloured by vertex. v_finish: roughness, weave.
uniform sampler2D u_noise;
in vec3 v_position;
in vec3 v_normal;
in vec3 v_rgb;
in vec2 v_finish;
out vec4 f_rgba;
void main() {
    vec3 v = normalize(u_camera - v_position);
    vec3 n = normalize(v_normal);
    if (!gl_FrontFacing) n = -n;
    vec4 noise = texture(u_noise, v_position.xy * 0.11 + v_position.zz * 0.07), folds = texture(u_noise, v_position.xy * 0.02);
    n = normalize(n + v_finish.y * (0.35 * (noise.rgb - 0.5) + 0.6 * (folds.rgb - 0.5)));
    vec3 albedo = v_rgb * mix(1.0, mix(0.75, 1.2, noise.a), v_finish.y);
    vec3 radiance = albedo * environment(n);
    float shadow = lit(v_position, n);
    for (int i = 0; i < u_lights; i++) {
        float nl = max(dot(n, u_light_direction[i]), 0.0) * (i == 0 ? shadow : 1.0);
        radiance += u_light_rgb[i] * nl * (albedo + (1.0 - v_finish.y) * highlight(n, v, u_light_direction[i], v_finish.x) * 0.15);
    }
    f_rgba = vec4(develop(radiance), 1.0);
}
