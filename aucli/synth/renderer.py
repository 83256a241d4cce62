"""The one door to OpenGL: a posed person, lights and a camera in, pixels and depths out.

moderngl with an EGL context: no screen is needed, a GPU is used where EGL offers one, and Mesa's software renderer
(llvmpipe) where it does not. One file, because everything that knows the OpenGL context is to stay behind this door.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aucli.errors import RenderError
from aucli.runtime.packages import require
from aucli.synth.accessories import Solid, Veil
from aucli.synth.camera import Camera
from aucli.synth.facemap import noise_texture, wrinkle_height
from aucli.synth.hair import Ribbons
from aucli.synth.lighting import Lighting
from aucli.synth.person import PARTS, Body, Person, Posed

Float32 = npt.NDArray[np.float32]

SHADOW_PX: Final = 320
_SHADOW_RADIUS_CM: Final = 22.0
# Fragment shader -> vertex shader. One program per material: llvmpipe runs both sides of a branch.
_PROGRAMS: Final = {"skin": "head", "eye": "head", "mouth": "head", "solid": "solid", "hair": "hair", "veil": "veil"}
_HEAD_PARTS: Final[dict[str, tuple[str, ...]]] = {
    "skin": ("skin",),
    "mouth": ("mucosa", "gums", "teeth"),
    "eye": ("eye_left", "eye_right"),
}
_HOW_TO_GET_GL: Final = (
    "install the EGL loader and a driver (Debian: apt-get install libegl1 libgl1-mesa-dri), then try again"
)


@dataclass(frozen=True, eq=False)
class Scene:
    """Everything in one picture.

    Attributes:
        person: who.
        posed: with which expression and pose.
        lighting: lights and environment.
        camera: from where.
        background: (h, w, 3) uint8 picture behind, stretched over the frame.
    """

    person: Person
    posed: Posed
    lighting: Lighting
    camera: Camera
    background: npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Rendered:
    """A picture: rgb (H, W, 3) uint8, and the depth buffer (H', W') float32 in [0, 1], row 0 at the top, at the
    supersampled size."""

    rgb: npt.NDArray[np.uint8]
    depth: Float32


class Renderer:
    """Draws scenes of one rig at one size.

    Args:
        body: the mesh that all people share.
        size_px: side of the square pictures.
        supersampling: samples per pixel along each side.

    Raises:
        RenderError: if there is no OpenGL 3.3 to be had through EGL.
    """

    def __init__(self, body: Body, *, size_px: int = 224, supersampling: float = 1.5) -> None:
        self.body = body
        self.size_px = size_px
        self._wide = round(size_px * supersampling)
        self._ctx = _context()
        self._programs = {name: self._program(vertex, name) for name, vertex in _PROGRAMS.items()}
        self._depth_program = self._program("depth", "depth")
        self._screen = self._program("screen", "screen")
        self._targets()
        self._textures()
        self._head_buffers()
        self._person: Person | None = None
        self._skin: Any = None
        self._strokes: Any = None

    @property
    def description(self) -> str:
        """What draws, e.g. ``llvmpipe (LLVM 15.0.6, 256 bits)``."""
        return str(self._ctx.info["GL_RENDERER"])

    def render(self, scene: Scene) -> Rendered:
        """Draw one scene."""
        with self._ctx:  # another renderer of this process may have drawn since
            self._enter(scene.person)
            self._upload(scene)
            self._cast_shadows()
            self._draw(scene)
            return Rendered(rgb=self._read_rgb(), depth=self._read_depth())

    def close(self) -> None:
        """Give the context back."""
        self._ctx.release()

    # What stays for the life of the renderer.

    def _program(self, vertex: str, fragment: str) -> Any:
        return self._ctx.program(_shader(f"{vertex}.vert"), _shader(f"{fragment}.frag"))

    def _targets(self) -> None:
        ctx, wide = self._ctx, self._wide
        self._colour = ctx.texture((wide, wide), 4)
        self._depth = ctx.depth_texture((wide, wide))
        self._frame = ctx.framebuffer([self._colour], self._depth)
        self._small = ctx.framebuffer([ctx.renderbuffer((self.size_px, self.size_px), 4)])
        self._shadow = ctx.depth_texture((SHADOW_PX, SHADOW_PX))
        self._shadow.compare_func = "<="
        self._shadow.repeat_x = self._shadow.repeat_y = False
        self._shadow_frame = ctx.framebuffer(depth_attachment=self._shadow)
        self._depth.compare_func = ""
        self._full_screen = ctx.vertex_array(self._screen, [])

    def _textures(self) -> None:
        ctx = self._ctx
        noise = noise_texture()
        self._noise = ctx.texture(noise.shape[1::-1], 4, noise.tobytes())
        self._noise.build_mipmaps()
        self._noise.filter = (ctx.LINEAR_MIPMAP_NEAREST, ctx.LINEAR)
        size = self.body.paint.wrinkles.shape[-1]
        self._wrinkles = ctx.texture((size, size), 1)
        self._wrinkles.repeat_x = self._wrinkles.repeat_y = False

    def _head_buffers(self) -> None:
        ctx, body = self._ctx, self.body
        vertices = len(body.rig.neutral)
        fixed = np.column_stack([body.map_coordinates, body.scalp_height]).astype(np.float32)
        fixed = ctx.buffer(fixed.tobytes())
        self._moving = ctx.buffer(reserve=vertices * 7 * 4, dynamic=True)
        layouts = (
            (self._moving, (("a_position", 3), ("a_normal", 3), ("a_cavity", 1))),
            (fixed, (("a_map", 2), ("a_scalp", 1))),
        )
        part_of_triangle = body.part[body.topology.triangles[:, 0]]
        self._head: dict[str, Any] = {}
        for program, parts in _HEAD_PARTS.items():
            for part in parts:
                triangles = body.topology.triangles[part_of_triangle == PARTS[part]]
                content = _used_content(self._programs[program], layouts)
                self._head[part] = ctx.vertex_array(self._programs[program], content, ctx.buffer(triangles.tobytes()))
        outer = body.topology.triangles[part_of_triangle == PARTS["skin"]]
        content = _used_content(self._depth_program, layouts)
        self._head_shadow = ctx.vertex_array(self._depth_program, content, ctx.buffer(outer.tobytes()))

    # What changes with the person.

    def _enter(self, person: Person) -> None:
        if person is self._person:
            return
        for old in (self._skin, self._strokes):
            if old is not None:
                old.release()
        ctx = self._ctx
        self._skin = ctx.texture(person.skin.shape[1::-1], 4, person.skin.tobytes())
        self._strokes = ctx.texture(person.strokes.shape[1::-1], 2, person.strokes.tobytes())
        for texture in (self._skin, self._strokes):
            texture.build_mipmaps()
            texture.filter = (ctx.LINEAR_MIPMAP_NEAREST, ctx.LINEAR)
            texture.repeat_x = texture.repeat_y = False
        self._person = person
        self._set_look(person)

    def _set_look(self, person: Person) -> None:
        look = person.look
        dark = person.hair.empty and look.hair == "bald"
        opacity = 0.12 if dark else (0.8 if look.hair == "buzz" else 0.95)
        _set(
            self._programs["skin"],
            u_pores=look.pores,
            u_roughness=look.roughness,
            u_scatter=look.scatter,
            u_hair_rgb=look.hair_rgb,
            u_brow_rgb=look.brow_rgb,
            u_beard_rgb=look.beard_rgb,
            u_scalp_hair=(opacity, look.hairline_cm),
        )
        _set(
            self._programs["eye"],
            u_iris_rgb=look.iris_rgb,
            u_sclera_rgb=look.sclera_rgb,
            u_iris=(look.iris_radius_rad, look.pupil_radius_rad, 0.8, look.veins),
        )
        _set(self._programs["hair"], u_hair_rgb=look.hair_rgb, u_hair_style=(1.0, look.hair_shine, 0.8))

    # What changes with the picture.

    def _upload(self, scene: Scene) -> None:
        posed = scene.posed
        moving = np.column_stack([posed.positions, posed.normals, posed.hollows]).astype(np.float32)
        self._moving.write(moving.tobytes())
        lighting, camera = scene.lighting, scene.camera
        shadow_from_world = _shadow_projection(lighting.directions[0], posed.eye_centres.mean(axis=0))
        self._shadow_from_world = shadow_from_world
        for program in self._programs.values():
            _set(
                program,
                u_lights=lighting.count,
                u_light_direction=lighting.directions,
                u_light_rgb=lighting.rgb,
                u_harmonics=lighting.harmonics,
                u_shadow_from_world=shadow_from_world.T,
                u_shadow_softness=lighting.shadow_softness,
                u_camera=camera.position,
                u_exposure=lighting.exposure,
                u_view_projection=camera.clip_from_world.T,
                u_shadow=0,
                u_noise=1,
                u_skin=2,
                u_strokes=3,
                u_wrinkles=4,
            )
        self._wrinkles.write(
            wrinkle_height(self.body.paint.wrinkles, posed.wrinkles_left, posed.wrinkles_right).tobytes()
        )
        self._solids = [_Mesh.solid(self, part) for part in _posed_solids(scene) if len(part.triangles)]
        self._ribbons = None if scene.person.hair.empty else _Mesh.hair(self, _posed_hair(scene.person.hair, posed))
        self._veils = [(part, _Mesh.veil(self, part)) for part in _posed_veils(scene)]

    def _cast_shadows(self) -> None:
        ctx = self._ctx
        self._shadow_frame.use()
        self._shadow_frame.clear()
        ctx.enable_only(ctx.DEPTH_TEST)
        ctx.polygon_offset = (2.0, 4.0)
        _set(self._depth_program, u_view_projection=self._shadow_from_world.T)
        self._head_shadow.render()
        for mesh in (*self._solids, *([self._ribbons] if self._ribbons else [])):
            mesh.shadow.render()
        ctx.polygon_offset = (0.0, 0.0)

    def _draw(self, scene: Scene) -> None:
        ctx = self._ctx
        for unit, texture in enumerate((self._shadow, self._noise, self._skin, self._strokes, self._wrinkles)):
            texture.use(unit)
        self._frame.use()
        self._frame.clear(depth=1.0)
        ctx.enable_only(ctx.NOTHING)
        picture = scene.background
        behind = ctx.texture(picture.shape[1::-1], 3, np.ascontiguousarray(picture).tobytes(), alignment=1)
        behind.use(5)
        _set(self._screen, u_picture=5)
        self._full_screen.render(vertices=3)
        ctx.enable_only(ctx.DEPTH_TEST)
        # What is worn hides much of the head: drawn first, it saves the head's costly shading there.
        for mesh in self._solids:
            mesh.colour.render()
        self._draw_head(scene)
        if self._ribbons:
            self._ribbons.colour.render()
        if self._veils:
            ctx.enable(ctx.BLEND)
            ctx.blend_func = ctx.SRC_ALPHA, ctx.ONE_MINUS_SRC_ALPHA
            for veil, mesh in self._veils:
                # Dark lenses enter the depth buffer, from which the labels take what can be seen.
                self._frame.depth_mask = veil.hides
                mesh.colour.render()
            self._frame.depth_mask = True
        behind.release()
        for mesh in (*self._solids, *(mesh for _, mesh in self._veils), *([self._ribbons] if self._ribbons else [])):
            mesh.release()

    def _draw_head(self, scene: Scene) -> None:
        posed, look = scene.posed, scene.person.look
        self._head["skin"].render()
        up, forward = posed.head_from_rest[:3, 1], posed.head_from_rest[:3, 2]
        for side, part in enumerate(("eye_left", "eye_right")):
            _set(
                self._programs["eye"],
                u_eye_centre=posed.eye_centres[side],
                u_gaze=posed.gaze[side],
                u_head_up=up,
                u_lids=posed.lids_cm[2 * side : 2 * side + 2],
            )
            self._head[part].render()
        lips = posed.positions[self.body.rig.landmarks68[[62, 66]]].mean(axis=0)
        dark = tuple(0.55 * value for value in look.mucosa_rgb)
        for part, albedo in (("teeth", look.teeth_rgb), ("gums", look.mucosa_rgb), ("mucosa", dark)):
            _set(self._programs["mouth"], u_albedo=albedo, u_head_forward=forward, u_lips=lips)
            self._head[part].render()

    def _read_rgb(self) -> npt.NDArray[np.uint8]:
        self._small.use()
        self._ctx.enable_only(self._ctx.NOTHING)
        self._colour.filter = (self._ctx.LINEAR, self._ctx.LINEAR)
        self._colour.use(5)
        self._full_screen.render(vertices=3)
        pixels = np.frombuffer(self._small.read(components=3, alignment=1), np.uint8)
        # The screen shader turns the picture over, so that row 0 comes out on top.
        return pixels.reshape(self.size_px, self.size_px, 3).copy()

    def _read_depth(self) -> Float32:
        depth = np.frombuffer(self._depth.read(alignment=1), np.float32)
        return depth.reshape(self._wide, self._wide)[::-1]


class _Mesh:
    """Vertex arrays of one uploaded mesh, for colour and for the shadow map."""

    def __init__(
        self, renderer: Renderer, program: str, columns: dict[str, Float32], triangles: npt.NDArray[np.int32]
    ) -> None:
        ctx = renderer._ctx
        self._vertices = ctx.buffer(np.column_stack(list(columns.values())).astype(np.float32).tobytes())
        self._indices = ctx.buffer(triangles.astype(np.int32).tobytes())
        layouts = [(self._vertices, [(name, column.shape[1]) for name, column in columns.items()])]
        self.colour, self.shadow = (
            ctx.vertex_array(using, _used_content(using, layouts), self._indices)
            for using in (renderer._programs[program], renderer._depth_program)
        )

    @classmethod
    def solid(cls, renderer: Renderer, part: Solid) -> _Mesh:
        columns = {"a_position": part.positions, "a_normal": part.normals, "a_rgb": part.rgb, "a_finish": part.finish}
        return cls(renderer, "solid", columns, part.triangles)

    @classmethod
    def hair(cls, renderer: Renderer, part: Ribbons) -> _Mesh:
        columns = {
            "a_position": part.positions,
            "a_normal": part.normals,
            "a_tangent": part.tangents,
            "a_strand": part.strand,
        }
        return cls(renderer, "hair", columns, part.triangles)

    @classmethod
    def veil(cls, renderer: Renderer, part: Veil) -> _Mesh:
        columns = {"a_position": part.positions, "a_normal": part.normals, "a_rgba": part.rgba}
        return cls(renderer, "veil", columns, part.triangles)

    def release(self) -> None:
        for thing in (self.colour, self.shadow, self._vertices, self._indices):
            thing.release()


def _shader(name: str) -> str:
    """Text of a shader with its includes."""
    text = (resources.files("aucli.synth") / "shaders" / name).read_text(encoding="utf-8")
    return re.sub(r'#include "(.+)"', lambda found: _shader(found[1]), text)


def _context() -> Any:
    require("moderngl", for_="rendering")
    import moderngl

    try:
        return moderngl.create_context(standalone=True, backend="egl", require=330)  # type: ignore[arg-type]
    except Exception as error:  # moderngl raises bare Exception where EGL or the driver is missing
        raise RenderError(f"no OpenGL 3.3 through EGL ({error}): {_HOW_TO_GET_GL}") from None


def _used_content(program: Any, layouts: Sequence[tuple[Any, Sequence[tuple[str, int]]]]) -> list[tuple[Any, ...]]:
    """moderngl's description of buffers of floats, with those columns skipped that the compiler has dropped."""
    content: list[tuple[Any, ...]] = []
    for buffer, columns in layouts:
        used = [name for name, _ in columns if name in program]
        if used:
            layout = " ".join(f"{size}f" if name in used else f"{size}x4" for name, size in columns)
            content.append((buffer, layout, *used))
    return content


def _set(program: Any, **uniforms: Any) -> None:
    """Set those uniforms that the program uses; the compiler drops the others."""
    for name, value in uniforms.items():
        member = program.get(name, None)
        if member is None:
            continue
        if isinstance(value, np.ndarray):
            member.write(np.ascontiguousarray(value, np.float32).tobytes())
        else:
            member.value = value


def _shadow_projection(direction: Float32, middle: Float32) -> npt.NDArray[np.float64]:
    """Orthographic view along the first light, around the head: (4, 4) clip from world."""
    z = np.asarray(direction, np.float64) / np.linalg.norm(direction)
    x = np.cross([0.0, 1.0, 0.0] if abs(z[1]) < 0.95 else [1.0, 0.0, 0.0], z)
    x /= np.linalg.norm(x)
    y = np.cross(z, x)
    view = np.eye(4)
    view[:3, :3] = np.stack([x, y, z])
    view[:3, 3] = -view[:3, :3] @ (np.asarray(middle, np.float64) + np.array([0, -4.0, -6.0]))
    scale = np.diag([1 / _SHADOW_RADIUS_CM, 1 / _SHADOW_RADIUS_CM, -1 / 60.0, 1.0])
    return scale @ view


def _moved(points: Float32, rigid: npt.NDArray[np.float64]) -> Float32:
    return np.asarray(points @ rigid[:3, :3].T + rigid[:3, 3], np.float32)


def _posed_solids(scene: Scene) -> list[Solid]:
    rigid = scene.posed.head_from_rest
    worn = scene.person.on_head
    turned = worn.normals @ rigid[:3, :3].T.astype(np.float32)
    return [scene.person.clothes, Solid(_moved(worn.positions, rigid), turned, worn.rgb, worn.finish, worn.triangles)]


def _posed_hair(hair: Ribbons, posed: Posed) -> Ribbons:
    turn = posed.head_from_rest[:3, :3].T.astype(np.float32)
    positions = _moved(hair.positions, posed.head_from_rest)
    return Ribbons(positions, hair.normals @ turn, hair.tangents @ turn, hair.strand, hair.triangles)


def _posed_veils(scene: Scene) -> list[Veil]:
    veils = []
    vertices, triangles, opacity = scene.person.body.lashes
    alpha = scene.person.look.lash_density * opacity
    rgba = np.column_stack([np.full((len(vertices), 3), 0.01), alpha]).astype(np.float32)
    veils.append(Veil(scene.posed.positions[vertices], np.zeros((len(vertices), 3), np.float32), rgba, triangles))
    lenses = scene.person.lenses
    if lenses is not None:
        rigid = scene.posed.head_from_rest
        turned = lenses.normals @ rigid[:3, :3].T.astype(np.float32)
        veils.append(Veil(_moved(lenses.positions, rigid), turned, lenses.rgba, lenses.triangles))
    return veils
