"""The table of rules. A number is never given to another rule, and docs/lint has a page for each."""

from __future__ import annotations

from bpfimg.inspect import _rules_license as license_
from bpfimg.inspect import _rules_maps as maps
from bpfimg.inspect import _rules_object as whole
from bpfimg.inspect import _rules_programs as programs
from bpfimg.inspect import _rules_use as use
from bpfimg.inspect._lint_model import Rule

_E, _W, _N = "error", "warning", "note"

RULES: tuple[Rule, ...] = (
    Rule("BL001", "unreadable-object", _E, "the file is not a readable eBPF object", None),
    Rule("BL002", "wrong-byte-order", _E, "the byte order is not that of the object's slot", whole.wrong_byte_order),
    Rule("BL003", "broken-image", _E, "the image breaks a rule of the specification", None),
    Rule("BL004", "label-mismatch", _W, "the image says what its object does not bear out", None),
    Rule("BL005", "object-too-large", _W, "the object is larger than peers take", whole.object_too_large),
    Rule("BL006", "dwarf-left-in", _W, "the object still has DWARF", whole.dwarf_left_in),
    Rule("BL007", "leaked-path", _W, "paths of the compiling machine are in the object", whole.leaked_path),
    Rule("BL008", "no-program", _W, "the object has no program", whole.no_program),
    Rule("BL009", "unknown-section", _E, "a section is of no known program type", programs.unknown_section),
    Rule("BL010", "historic-section", _W, "a section name is refused by libbpf 1.0", programs.historic_section),
    Rule("BL011", "no-license", _W, "the object states no licence", license_.no_license),
    Rule("BL012", "gpl-only", _E, "something GPL-only is used without a GPL-compatible licence", license_.gpl_only),
    Rule("BL013", "odd-license", _W, "the licence looks like the GPL, but not to the kernel", license_.odd_license),
    Rule("BL014", "no-btf", _W, "the object has no BTF", whole.no_btf),
    Rule("BL015", "global-without-btf", _W, "there are globals that no BTF names", whole.global_without_btf),
    Rule("BL016", "no-line-info", _N, "the BTF has no source lines", whole.no_line_info),
    Rule("BL017", "kernel-bound", _W, "kernel memory is read without CO-RE", programs.kernel_bound),
    Rule("BL018", "no-attach-target", _W, "a program names no attach target", programs.no_attach_target),
    Rule("BL019", "fragile-target", _W, "an attach target exists in some kernels only", programs.fragile_target),
    Rule("BL020", "unreachable-function", _N, "no program calls a function", programs.unreachable_function),
    Rule("BL021", "autoload-off", _N, "a program is loaded only when asked for", programs.autoload_off),
    Rule("BL022", "too-many-instructions", _E, "a program is longer than kernels take", programs.too_many_instructions),
    Rule("BL023", "tail-call-mix", _N, "tail calls and sub-programs are mixed", programs.tail_call_with_subprogram),
    Rule("BL024", "old-probe-read", _N, "a helper function guesses whose memory it reads", programs.old_probe_read),
    Rule("BL025", "trace-printk", _W, "a debugging output is left in", programs.trace_printk),
    Rule("BL026", "perf-buffer", _N, "events go through a perf buffer", use.perf_buffer),
    Rule("BL027", "cpu-registers", _W, "registers of one CPU are read on several", programs.cpu_registers),
    Rule(
        "BL028", "struct-ops-alone", _E, "a struct_ops program belongs to no struct_ops map", programs.struct_ops_alone
    ),
    Rule("BL029", "legacy-maps", _E, "maps are defined in the way of before libbpf 1.0", maps.legacy_maps),
    Rule("BL030", "refused-map", _E, "a map is defined in a way that the kernel refuses", maps.refused_map),
    Rule("BL031", "incomplete-map", _W, "a map leaves something for its loader to say", maps.incomplete_map),
    Rule("BL032", "ring-size", _W, "a ring buffer is not a power of two of pages", maps.ring_size),
    Rule("BL033", "large-map", _W, "a map takes much memory at once", maps.large_map),
    Rule("BL034", "unused-map", _N, "no program uses a map", use.unused_map),
    Rule("BL035", "pinned-by-name", _N, "a map is pinned by its bare name", maps.pinned_by_name),
    Rule("BL036", "name-collision", _N, "names are alike in their first 15 bytes", use.name_collision),
    Rule("BL037", "unread-global", _W, "no program touches a global", use.unread_global),
    Rule("BL038", "version-section", _N, "the object is tied to a kernel version", whole.version_section),
    Rule("BL039", "dangling-type", _E, "the BTF refers to a type that is not there", whole.dangling_type),
)
BY_ID = {rule.id: rule for rule in RULES}
BY_NAME = {rule.name: rule for rule in RULES}
