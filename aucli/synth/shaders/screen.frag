#version 330
uniform sampler2D u_picture;
in vec2 v_uv;
out vec4 f_rgba;
void main() {
    f_rgba = vec4(texture(u_picture, vec2(v_uv.x, 1.0 - v_uv.y)).rgb, 1.0);
}
