#version 330
#include "surface.glsl"
// Inside the mouth it grows dark with the depth behind the lips.
uniform vec3 u_albedo;
uniform vec3 u_head_forward;
uniform vec3 u_lips;             // a point between the lips, in world space

void main() {
    vec3 v = normalize(u_camera - v_position);
    vec3 n = normalize(v_normal);
    if (!gl_FrontFacing) n = -n;
    float depth = max(dot(u_lips - v_position, u_head_forward), 0.0);
    float light = 1.0 / (1.0 + 0.35 * depth + 0.28 * depth * depth);
    vec3 radiance = shade(n, v, u_albedo, 0.33, 0.045, 0.5, light) * mix(1.0, light, 0.5);
    f_rgba = vec4(develop(radiance), 1.0);
}
