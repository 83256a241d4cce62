#version 330
#include "surface.glsl"
// One eyeball: iris and pupil are painted by the angle from the gaze, for the rig's own irises lie behind the white.
uniform sampler2D u_noise;
uniform vec3 u_iris_rgb;
uniform vec3 u_sclera_rgb;
uniform vec4 u_iris;             // radius, pupil radius (radians), limbal ring, veins
uniform vec3 u_eye_centre;
uniform vec3 u_gaze;
uniform vec3 u_head_up;
uniform vec2 u_lids;             // heights of the upper and lower lid over the eye's centre (cm)

vec3 eye(vec3 v) {
    vec3 centre = u_eye_centre, gaze = u_gaze;
    vec3 n = normalize(v_position - centre);
    float angle = acos(clamp(dot(n, gaze), -1.0, 1.0));
    vec3 around = n - gaze * dot(n, gaze);
    float turn = atan(dot(around, u_head_up), dot(around, cross(u_head_up, gaze)));
    vec4 noise = texture(u_noise, vec2(turn * 0.6366, angle * 0.5));
    vec4 veins = texture(u_noise, n.xy * 1.7 + n.zy);
    vec3 white = 0.62 * u_sclera_rgb * mix(vec3(1.0), vec3(1.0, 0.72, 0.68), u_iris.w * smoothstep(0.55, 0.8, veins.r) * smoothstep(0.5, 1.0, angle));
    white *= mix(vec3(1.0), vec3(0.95, 0.72, 0.68), smoothstep(0.75, 1.25, angle));
    vec3 iris = u_iris_rgb * mix(0.55, 1.45, noise.r) * mix(1.35, 0.8, smoothstep(u_iris.y, u_iris.x, angle));
    iris = mix(iris, iris * 0.25, smoothstep(0.75 * u_iris.x, u_iris.x, angle) * u_iris.z);
    vec3 albedo = mix(iris, white, smoothstep(u_iris.x - 0.025, u_iris.x + 0.03, angle));
    albedo = mix(vec3(0.008), albedo, smoothstep(u_iris.y - 0.02, u_iris.y + 0.02, angle));
    // The lids shade the eye: most under the upper one.
    float height = dot(v_position - centre, u_head_up);
    float occlusion = mix(0.28, 1.0, smoothstep(-0.02, 0.42, u_lids.x - height)) * mix(0.6, 1.0, smoothstep(-0.02, 0.2, height - u_lids.y));
    float shadow = mix(0.45, 1.0, lit(v_position + 0.2 * n, n));
    vec3 radiance = albedo * environment(n) * occlusion;
    vec3 cornea = normalize(mix(n, gaze, 0.25 * (1.0 - smoothstep(0.0, u_iris.x * 1.1, angle))));
    for (int i = 0; i < u_lights; i++) {
        float nl = clamp((dot(n, u_light_direction[i]) + 0.2) / 1.2, 0.0, 1.0);
        float visible = i == 0 ? shadow : 1.0;
        radiance += u_light_rgb[i] * visible * occlusion * (albedo * nl + min(highlight(cornea, v, u_light_direction[i], 0.22) * 0.10, 6.0));
    }
    return radiance + environment(reflect(-v, cornea)) * 0.05 * occlusion;
}

void main() {
    f_rgba = vec4(develop(eye(normalize(u_camera - v_position))), 1.0);
}
