#version 330
#include "lighting.glsl"
// Blended over the picture: lenses (with a reflection) and lashes (normal of length zero: no reflection).
in vec3 v_position;
in vec3 v_normal;
in vec4 v_rgba;
out vec4 f_rgba;
void main() {
    float glass = length(v_normal);
    vec3 radiance = v_rgba.rgb * (u_harmonics[0] + u_light_rgb[0] * 0.3);
    float alpha = v_rgba.a;
    if (glass > 0.5) {
        vec3 v = normalize(u_camera - v_position);
        vec3 n = v_normal / glass;
        if (dot(n, v) < 0.0) n = -n;
        float fresnel = 0.04 + 0.96 * pow(1.0 - max(dot(n, v), 0.0), 5.0);
        vec3 mirror = environment(reflect(-v, n)) * fresnel * 1.5;
        for (int i = 0; i < u_lights; i++) mirror += u_light_rgb[i] * highlight(n, v, u_light_direction[i], 0.2) * fresnel;
        radiance = radiance * alpha + mirror;
        // A reflection veils the eyes but never hides them: labels take a lens to be as opaque as its tint.
        alpha = max(alpha, min(alpha + dot(mirror, vec3(0.33)), 0.4));
        f_rgba = vec4(develop(radiance / max(alpha, 1e-3)), alpha);
    } else {
        f_rgba = vec4(develop(radiance), alpha);
    }
}
