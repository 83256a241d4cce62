#version 330
uniform mat4 u_view_projection;
in vec3 a_position;
in vec3 a_normal;
in vec3 a_rgb;
in vec2 a_finish;
out vec3 v_position;
out vec3 v_normal;
out vec3 v_rgb;
out vec2 v_finish;
void main() {
    v_position = a_position;
    v_normal = a_normal;
    v_rgb = a_rgb;
    v_finish = a_finish;
    gl_Position = u_view_projection * vec4(a_position, 1.0);
}
