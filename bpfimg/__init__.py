"""bpfimg: ship eBPF programs as OCI images, and run them only when they are trusted.

The rooms, from the ground up (each is a package or module with one door, its `__all__`):

* `bpfimg.errors`    every exception, drawn as a tree
* `bpfimg.bytecode`  what an eBPF object file is: bytes in, frozen values out
* `bpfimg.oci`       what an image is and where it lives: references, layouts, registries, `copy`
* `bpfimg.kernel`    what this kernel can do; the only room that makes system calls of its own
* `bpfimg.image`     `spec/bytecode-image.md` in code: labels, media types, pack and unpack
* `bpfimg.build`     object files or C sources to bytecode images
* `bpfimg.sign`      sign an image; decide whether to believe one
* `bpfimg.load`      bytecode into this host: programs, maps, globals, links, pins, records
* `bpfimg.inspect`   look, do not touch: at an object, an image, this host
* `bpfimg.run`       a believed image to a running program, and back
* `bpfimg.cli`       words in, words out
"""

__version__ = "0.1.0"
