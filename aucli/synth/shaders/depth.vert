#version 330
uniform mat4 u_view_projection;
in vec3 a_position;
void main() {
    gl_Position = u_view_projection * vec4(a_position, 1.0);
}
