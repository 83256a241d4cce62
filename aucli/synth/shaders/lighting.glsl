// Lights shared by every material: three directional lights, the first with a shadow map, and an environment
// given as nine spherical-harmonic coefficients of irradiance (Ramamoorthi and Hanrahan 2001).
uniform int u_lights;            // how many of the three are on
uniform vec3 u_light_direction[3];
uniform vec3 u_light_rgb[3];
uniform vec3 u_harmonics[9];
uniform sampler2DShadow u_shadow;
uniform mat4 u_shadow_from_world;
uniform float u_shadow_softness;
uniform vec3 u_camera;
uniform float u_exposure;

vec3 environment(vec3 n) {
    vec3 e = u_harmonics[0];
    e += u_harmonics[1] * n.y + u_harmonics[2] * n.z + u_harmonics[3] * n.x;
    e += u_harmonics[4] * n.x * n.y + u_harmonics[5] * n.y * n.z + u_harmonics[6] * (3.0 * n.z * n.z - 1.0);
    e += u_harmonics[7] * n.x * n.z + u_harmonics[8] * (n.x * n.x - n.y * n.y);
    return max(e, vec3(0.0));
}

// How much of the first light reaches a point with a normal; a soft edge needs a larger step off the surface, or the
// surface shades itself.
float lit(vec3 p, vec3 n) {
    p += (0.08 + 14.0 * u_shadow_softness) * n;
    vec3 q = (u_shadow_from_world * vec4(p, 1.0)).xyz * 0.5 + 0.5;
    if (any(lessThan(q.xy, vec2(0.0))) || any(greaterThan(q.xy, vec2(1.0)))) return 1.0;
    // Two taps of bilinear comparison, rotated by a hash of the pixel: a soft edge at little cost.
    float angle = 6.2832 * fract(52.9829 * fract(dot(gl_FragCoord.xy, vec2(0.06711, 0.00584))));
    vec2 step_uv = u_shadow_softness * vec2(cos(angle), sin(angle));
    return 0.5 * (texture(u_shadow, vec3(q.xy + step_uv, q.z)) + texture(u_shadow, vec3(q.xy - 0.6 * step_uv, q.z)));
}

// Filmic curve (Narkowicz 2015) and sRGB, the latter out of three roots, which are much cheaper than powers.
vec3 develop(vec3 radiance) {
    vec3 x = radiance * u_exposure;
    x = clamp(x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14), 0.0, 1.0);
    vec3 root = sqrt(x), root4 = sqrt(root), root8 = sqrt(root4);
    return clamp(0.5851 * root + 0.7831 * root4 - 0.3683 * root8, 0.0, 1.0);
}

float glint(vec3 n, vec3 h, float roughness) {
    float a2 = roughness * roughness * roughness * roughness;
    float nh = max(dot(n, h), 0.0);
    float d = nh * nh * (a2 - 1.0) + 1.0;
    return a2 / (3.1416 * d * d) * 0.25;
}

float highlight(vec3 n, vec3 v, vec3 l, float roughness) {
    return glint(n, normalize(v + l), roughness);
}
