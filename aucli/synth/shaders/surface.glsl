// What skin, lips, teeth and gums share: diffuse light that bleeds red into the shade, and a highlight.
#include "lighting.glsl"
in vec3 v_position;
in vec3 v_normal;
in float v_cavity;
in vec2 v_map;
in float v_scalp;
out vec4 f_rgba;

float fifth(float x) {
    float x2 = x * x;
    return x2 * x2 * x;
}

vec3 shade(vec3 n, vec3 v, vec3 albedo, float roughness, float reflectance, float scatter, float occlusion) {
    vec3 wrap = scatter * vec3(0.45, 0.20, 0.13);
    vec3 radiance = albedo * environment(n) * occlusion;
    float shadow = lit(v_position, n);
    for (int i = 0; i < u_lights; i++) {
        vec3 l = u_light_direction[i];
        float nl = dot(n, l);
        vec3 diffuse = clamp((vec3(nl) + wrap) / (1.0 + wrap), 0.0, 1.0) / (1.0 + wrap);
        // Light bleeds red into the rim of a shadow.
        vec3 visible = i == 0 ? mix(vec3(shadow), vec3(mix(shadow, sqrt(shadow), scatter), shadow, shadow), 0.8) : vec3(1.0);
        vec3 h = normalize(v + l);
        float fresnel = reflectance + (1.0 - reflectance) * fifth(1.0 - max(dot(v, h), 0.0));
        float gloss = glint(n, h, roughness) * fresnel * max(nl, 0.0) * 3.1416;
        radiance += u_light_rgb[i] * visible * (albedo * diffuse * mix(1.0, occlusion, 0.5) + gloss * occlusion);
    }
    float rim = reflectance * 0.5 + 0.5 * fifth(1.0 - max(dot(n, v), 0.0)) * (1.0 - roughness);
    return radiance + environment(reflect(-v, n)) * rim * 0.5 * occlusion;
}
