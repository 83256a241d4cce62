#version 330
uniform mat4 u_view_projection;
in vec3 a_position;
in vec3 a_normal;
in vec4 a_rgba;
out vec3 v_position;
out vec3 v_normal;
out vec4 v_rgba;
void main() {
    v_position = a_position;
    v_normal = a_normal;
    v_rgba = a_rgba;
    gl_Position = u_view_projection * vec4(a_position, 1.0);
}
