#version 330
uniform mat4 u_view_projection;
in vec3 a_position;
in vec3 a_normal;
in float a_cavity;
in vec2 a_map;
in float a_scalp;
out vec3 v_position;
out vec3 v_normal;
out float v_cavity;
out vec2 v_map;
out float v_scalp;

void main() {
    v_position = a_position;
    v_normal = a_normal;
    v_cavity = a_cavity;
    v_map = a_map;
    v_scalp = a_scalp;
    gl_Position = u_view_projection * vec4(a_position, 1.0);
}
