#version 330
uniform mat4 u_view_projection;
in vec3 a_position;
in vec3 a_normal;
in vec3 a_tangent;
in vec3 a_strand;   // across (0-1), along (0-1), seed
out vec3 v_position;
out vec3 v_normal;
out vec3 v_tangent;
out vec3 v_strand;
void main() {
    v_position = a_position;
    v_normal = a_normal;
    v_tangent = a_tangent;
    v_strand = a_strand;
    gl_Position = u_view_projection * vec4(a_position, 1.0);
}
