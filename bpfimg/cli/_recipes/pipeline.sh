#!/bin/sh
# From source to a signed image in a registry: build, lint, diff, check, sign, push, verify, with reports.
# Runs as it is in GitHub Actions, in GitLab CI and at a prompt; needs a POSIX shell, awk and bpfimg.
#
# Every value comes by a variable of the environment; what is empty has its default.
#
#   BPFIMG_CI_PROJECT      project file (bpfimg.toml)
#   BPFIMG_CI_IMAGE        name of the image without a tag (that of the first of the project file's tags, else GitHub:
#                          ghcr.io/OWNER/REPOSITORY; GitLab: $CI_REGISTRY_IMAGE)
#   BPFIMG_CI_TAG          its tag (the git tag that the job is for, else ci- and the commit)
#   BPFIMG_CI_DIR          folder to work in (the one this was started in)
#   BPFIMG_CI_INPUTS       what to build, as `bpfimg build` takes it: words with blanks or line ends between them
#                          (empty: the project file says it)
#   BPFIMG_CI_PLATFORMS    linux/amd64,linux/arm64: what the image is for (the project file, else this machine)
#   BPFIMG_CI_FAIL_ON      lint fails on: error (default), warning, note, never
#   BPFIMG_CI_DISABLE      lint rules to leave out: BL021,perf-buffer
#   BPFIMG_CI_PREVIOUS     what to compare with: a reference, or `none` (the greatest version tag before this one)
#   BPFIMG_CI_BREAKING     changes that break users: deny (default), allow, or major: allowed where the major number rises
#   BPFIMG_CI_BTF          check against these kernels' types: files or folders, blanks between them (empty: not done)
#   BPFIMG_CI_KERNELS      load in these real kernels under QEMU, as `bpfimg check --kernels` takes them (empty: not done)
#   BPFIMG_CI_MAX_INSNS    most instructions that the verifier may go through for one program, there
#   BPFIMG_CI_SBOM         spdx (default), cyclonedx or none
#   BPFIMG_CI_PROVENANCE   yes (default) or no
#   BPFIMG_CI_BUILDER      URI that the provenance names as builder (GitHub: the workflow; GitLab: the runner)
#   BPFIMG_CI_PUSH         auto (default): on tags; yes: on branches, too; no. Never in a pull or merge request
#   BPFIMG_CI_SIGN         keyless, key or none (key where BPFIMG_CI_KEY is set, else keyless)
#   BPFIMG_CI_KEY          key to sign with: a file, env://NAME, pkcs11:..., awskms:...; its password is COSIGN_PASSWORD
#   BPFIMG_CI_VERSION      version that is signed with the image (the tag, where it is one)
#   BPFIMG_CI_TRUST_CONFIG file with a Sigstore of your own (empty: the public one, where keyless signatures are public)
#   BPFIMG_CI_TRUSTED_ROOT file with its trusted root, to verify with
#   BPFIMG_CI_IDENTITY, BPFIMG_CI_ISSUER   whom a keyless signature must name (this workflow, this forge)
#   BPFIMG_CI_REPORTS      folder for reports (bpfimg-reports)
#
#   BPFIMG_USERNAME, BPFIMG_PASSWORD   login at the registry; nothing secret is ever a word of a command
#
# Reports: summary.md, lint.sarif, junit-*.xml, codequality.json (GitLab), diff.json, check.json, digest, bpfimg.env.
# Outputs: image, digest, reference, pushed; in $GITHUB_OUTPUT, and as BPFIMG_IMAGE and so on in bpfimg.env.
# Exit code: 0 when every step did its part, else 1; summary and reports are written in either case.

# shellcheck disable=SC2317  # functions are called by name, and by traps
set -uf +x
# bpfimg init: settings
LC_ALL=C.UTF-8
export LC_ALL

github=${GITHUB_ACTIONS:-}
gitlab=${GITLAB_CI:-}
failed=
work=
digest=
pushed=no
written='summary.md lint.sarif junit-lint.xml junit-check.xml junit-kernels.xml codequality.json diff.json check.json
kernels.json digest key.pub bpfimg.env'

say() {
    printf '%s\n' "$*"
}

# One sentence why a step fails, or is left out; the summary shows it.
because() {
    words=$*
    printf 'bpfimg pipeline: %s\n' "$*" >&2
}

stop() {
    why=$(say "$*" | tr '\000-\037\177' '?') # what a variable says makes no line, and no command, of its own
    printf 'bpfimg pipeline: %s\n' "${why%?}" >&2
    [ -z "$github" ] || printf '::error title=bpfimg::%s\n' "$(say "${why%?}" | sed 's/%/%25/g')"
    exit 1
}

is_file() {
    [ -s "$1" ]
}

one_of() { # NAME VALUE WORD...
    variable=$1 value=$2
    shift 2
    for word in "$@"; do
        [ "$value" = "$word" ] && return
    done
    stop "$variable is '$value', expected one of: $*"
}

# What the variables say -----------------------------------------------------------------------------------------------

settings() {
    CDPATH='' cd -- "${BPFIMG_CI_DIR:-.}" || stop "BPFIMG_CI_DIR is '${BPFIMG_CI_DIR:-.}', expected a folder"
    reports=${BPFIMG_CI_REPORTS:-bpfimg-reports}
    new=
    [ -e "$reports" ] || new=yes
    mkdir -p -- "$reports" || stop "BPFIMG_CI_REPORTS is '$reports', expected a folder that can be written"
    reports=$(CDPATH='' cd -- "$reports" && pwd)
    # at a prompt nobody wants to commit them
    [ -z "$new" ] || [ -n "$github$gitlab" ] || printf '*\n' >"$reports/.gitignore"
    # of a run before, or out of the repository: nothing of that is signed, or shown, as if it were of this one
    for each in $written; do rm -f -- "$reports/$each" || stop "$reports/$each cannot be removed"; done
    work=$(mktemp -d "${RUNNER_TEMP:-${TMPDIR:-/tmp}}/bpfimg-ci.XXXXXX") || stop 'there is no place for temporary files'
    BPFIMG_STORE=$work/store
    export BPFIMG_STORE

    on_tag='' request='' commit=''
    if [ -n "$github" ]; then
        [ "${GITHUB_REF_TYPE:-}" = tag ] && on_tag=${GITHUB_REF_NAME:-}
        case ${GITHUB_EVENT_NAME:-} in pull_request*) request=yes ;; esac
        commit=${GITHUB_SHA:-}
        default_image=ghcr.io/${GITHUB_REPOSITORY:-}
        builder=${GITHUB_SERVER_URL:-https://github.com}/${GITHUB_WORKFLOW_REF:-}
        identity=$builder
        issuer=https://token.actions.githubusercontent.com
    elif [ -n "$gitlab" ]; then
        on_tag=${CI_COMMIT_TAG:-}
        case ${CI_PIPELINE_SOURCE:-} in *merge_request*|*pull_request*) request=yes ;; esac
        # a child of such a pipeline has another source
        [ -z "${CI_MERGE_REQUEST_IID:-}${CI_EXTERNAL_PULL_REQUEST_IID:-}" ] || request=yes
        commit=${CI_COMMIT_SHA:-}
        default_image=${CI_REGISTRY_IMAGE:-}
        builder=${CI_PROJECT_URL:-}/-/runners/${CI_RUNNER_ID:-}
        identity=${CI_PROJECT_URL:-}//${CI_CONFIG_PATH:-.gitlab-ci.yml}@refs/${CI_COMMIT_TAG:+tags/}${CI_COMMIT_TAG:-heads/${CI_COMMIT_BRANCH:-}}
        issuer=${CI_SERVER_URL:-}
    else
        on_tag=${BPFIMG_CI_TAG:-$(git describe --tags --exact-match 2>/dev/null)}
        commit=$(git rev-parse HEAD 2>/dev/null) || commit=
        default_image='' builder=urn:bpfimg:builder:local identity='' issuer=''
    fi
    builder=${BPFIMG_CI_BUILDER:-$builder}
    identity=${BPFIMG_CI_IDENTITY:-$identity}
    issuer=${BPFIMG_CI_ISSUER:-$issuer}

    project=${BPFIMG_CI_PROJECT:-bpfimg.toml}
    if [ -z "${BPFIMG_CI_IMAGE:-}${BPFIMG_CI_INPUTS:-}" ] && [ -f "$project" ]; then
        named=$(sed -n 's/^tags *= *\[ *"\([^"]*\)".*/\1/p' "$project" | head -n 1)
        case ${named##*/} in *:*) named=${named%:*} ;; esac
        default_image=${named:-$default_image}
    fi
    image=$(say "${BPFIMG_CI_IMAGE:-$default_image}" | tr '[:upper:]' '[:lower:]') # as registries want it
    [ -n "$image" ] || stop 'BPFIMG_CI_IMAGE is not set, expected the name of the image, such as registry.example/team/xdp_counter'
    case $image in
    -* | *[!][a-z0-9._:/-]*) stop "the image is '$image', expected a name such as registry.example/team/xdp_counter" ;;
    esac
    tag=${BPFIMG_CI_TAG:-$on_tag}
    tag=${tag:-ci-$(printf %.12s "${commit:-local}")}
    case $tag in
    *[!A-Za-z0-9_.-]* | [.-]*) stop "the tag is '$tag', which no registry takes: set BPFIMG_CI_TAG to letters, digits and ._-" ;;
    esac
    name=$image:$tag

    breaking=${BPFIMG_CI_BREAKING:-deny} sbom=${BPFIMG_CI_SBOM:-spdx} provenance=${BPFIMG_CI_PROVENANCE:-yes}
    push=${BPFIMG_CI_PUSH:-auto}
    sign=keyless
    [ -z "${BPFIMG_CI_KEY:-}" ] || sign=key
    sign=${BPFIMG_CI_SIGN:-$sign}
    one_of BPFIMG_CI_BREAKING "$breaking" deny allow major
    one_of BPFIMG_CI_SBOM "$sbom" spdx cyclonedx none
    one_of BPFIMG_CI_PROVENANCE "$provenance" yes no
    one_of BPFIMG_CI_PUSH "$push" auto yes no
    one_of BPFIMG_CI_SIGN "$sign" keyless key none
    [ "$sign" != key ] || [ -n "${BPFIMG_CI_KEY:-}" ] || stop 'BPFIMG_CI_SIGN is key, but BPFIMG_CI_KEY is not set'

    kept=
    if [ -n "$request" ]; then
        kept='a pull or merge request signs and pushes nothing'
    elif [ "$push" = no ]; then
        kept='BPFIMG_CI_PUSH is no'
    elif [ "$push" = auto ] && [ -z "$on_tag" ]; then
        kept='this is no tag, and BPFIMG_CI_PUSH is auto'
    fi

    version=${BPFIMG_CI_VERSION:-}
    [ -n "$version" ] || case $(before "$tag" </dev/null) in version*) version=${tag#v} ;; esac
}

# Steps ----------------------------------------------------------------------------------------------------------------
# Each returns 0 done, 1 failed, 2 left out; `words` says why.

do_build() {
    # bpfimg init: compile
    set -- build -t "$name" --digest-file "$reports/digest"
    [ -z "${BPFIMG_CI_PLATFORMS:-}" ] || set -- "$@" --platform "$BPFIMG_CI_PLATFORMS"
    [ "$sbom" = none ] || set -- "$@" --sbom --sbom-format "$sbom"
    [ "$provenance" = no ] || set -- "$@" --provenance --builder-id "$builder"
    [ -z "$github" ] || set -- "$@" --report github="$work/build.github"
    # shellcheck disable=SC2086  # words, apart by blanks; there is no globbing here (set -f)
    if [ -n "${BPFIMG_CI_INPUTS:-}" ]; then set -- "$@" -- $BPFIMG_CI_INPUTS; else set -- "$@" --project "$project"; fi
    bpfimg "$@"
    code=$?
    remarks "$work/build.github"
    if [ "$code" != 0 ]; then
        because 'the image could not be built: the log says why'
        return 1
    fi
    digest=$(cat "$reports/digest")
    words="\`$digest\`"
}

do_lint() {
    set -- lint --fail-on "${BPFIMG_CI_FAIL_ON:-error}"
    [ -z "${BPFIMG_CI_DISABLE:-}" ] || set -- "$@" --disable "$BPFIMG_CI_DISABLE"
    set -- "$@" --report sarif="$reports/lint.sarif" --report junit="$reports/junit-lint.xml"
    set -- "$@" --report markdown="$work/lint.md"
    [ -z "$github" ] || set -- "$@" --report github="$work/lint.github"
    [ -z "$gitlab" ] || set -- "$@" --report gitlab="$reports/codequality.json"
    bpfimg "$@" "$name"
    code=$?
    remarks "$work/lint.github"
    [ "$code" -le 1 ] || return 1
    [ "$code" = 0 ] || because "lint found what is as severe as '${BPFIMG_CI_FAIL_ON:-error}', or more so"
    return "$code"
}

do_diff() {
    previous || return
    set -- diff --report json="$reports/diff.json" --report markdown="$work/diff.md"
    [ -z "$github" ] || set -- "$@" --report github="$work/diff.github"
    # out of the registry, and not by way of the store: nothing of others is beside what is signed
    bpfimg "$@" "$last" "$name"
    code=$?
    case $code in 0 | 10) ;; *) return 1 ;; esac
    words="compared with \`${last#registry:}\`"
    [ "$code" = 10 ] || return 0
    if [ "$breaking" = allow ] ||
        { [ "$breaking" = major ] && [ "$(major "$tag")" -gt "$(major "${last##*:}")" ] 2>/dev/null; }; then
        words="$words: breaking changes, which are allowed"
        return 0
    fi
    remarks "$work/diff.github"
    because "there are changes that break those who use ${last#registry:} (BPFIMG_CI_BREAKING=allow lets them pass)"
    return 1
}

do_check() {
    if [ -z "${BPFIMG_CI_BTF:-}" ]; then
        words='BPFIMG_CI_BTF is not set'
        return 2
    fi
    # shellcheck disable=SC2086
    set -- "$name" --btf $BPFIMG_CI_BTF
    checked check "$@"
}

do_kernels() {
    if [ -z "${BPFIMG_CI_KERNELS:-}" ]; then
        words='BPFIMG_CI_KERNELS is not set'
        return 2
    fi
    set -- "$name" --kernels "$BPFIMG_CI_KERNELS"
    [ -z "${BPFIMG_CI_MAX_INSNS:-}" ] || set -- "$@" --max-insns "$BPFIMG_CI_MAX_INSNS"
    checked kernels "$@"
}

checked() { # NAME WORD...
    what=$1
    shift
    set -- "$@" --report json="$reports/$what.json" --report junit="$reports/junit-$what.xml"
    set -- "$@" --report markdown="$work/$what.md"
    [ -z "$github" ] || set -- "$@" --report github="$work/$what.github"
    bpfimg check "$@"
    code=$?
    remarks "$work/$what.github"
    is_file "$reports/$what.json" || return 1
    [ "$code" = 0 ] || because 'some program does not load into some kernel'
    [ "$code" = 0 ]
}

do_sign() {
    [ -z "$kept" ] || { words=$kept; return 2; }
    [ "$sign" != none ] || { words='BPFIMG_CI_SIGN is none'; return 2; }
    set --
    [ "$sign" != key ] || set -- --key "$BPFIMG_CI_KEY"
    [ -z "${BPFIMG_CI_TRUST_CONFIG:-}" ] || set -- "$@" --trust-config "$BPFIMG_CI_TRUST_CONFIG"
    if ! bpfimg sign -q "$@" ${version:+-a "org.opencontainers.image.version=$version"} "$name"; then
        because 'the image could not be signed: the log says why'
        [ -z "$github" ] || [ "$sign" = key ] || [ -n "${ACTIONS_ID_TOKEN_REQUEST_URL:-}" ] ||
            because 'this job may ask for no identity token: give it "permissions: id-token: write"'
        [ -z "$gitlab" ] || [ "$sign" = key ] || [ -n "${SIGSTORE_ID_TOKEN:-}" ] ||
            because 'this job has no identity token: give it "id_tokens: SIGSTORE_ID_TOKEN: aud: sigstore"'
        return 1
    fi
    [ "$sbom$provenance" = noneno ] || bpfimg attest -q "$@" --attached "$name" || return 1
    for what in check kernels; do
        is_file "$reports/$what.json" || continue
        bpfimg attest -q "$@" --type compatibility --predicate "$reports/$what.json" "$name" || return 1
    done
    words=$sign
}

do_push() {
    [ -z "$kept" ] || { words=$kept; return 2; }
    bpfimg push "$name" || { because 'the image could not be pushed: the log says why'; return 1; }
    pushed=yes
    words="\`$name\`"
}

do_verify() {
    [ -z "$kept" ] || { words=$kept; return 2; }
    [ "$sign" != none ] || { words='BPFIMG_CI_SIGN is none'; return 2; }
    if [ "$sign" = key ]; then
        bpfimg key public "$BPFIMG_CI_KEY" >"$reports/key.pub" || return 1
        set -- --key "$reports/key.pub"
    elif [ -n "$identity" ] && [ -n "$issuer" ]; then
        set -- --certificate-identity "$identity" --certificate-oidc-issuer "$issuer"
        [ -z "${BPFIMG_CI_TRUSTED_ROOT:-}" ] || set -- "$@" --trusted-root "$BPFIMG_CI_TRUSTED_ROOT"
    else
        because 'BPFIMG_CI_IDENTITY and BPFIMG_CI_ISSUER are not set, so nobody says whose signature to expect'
        return 1
    fi
    # from the registry, into a store of its own: what others will get
    BPFIMG_STORE=$work/verified bpfimg verify --pull always "$@" "$image@$digest" && return 0
    because 'what is in the registry is not believed: the log says why'
    return 1
}

# The version before this one ------------------------------------------------------------------------------------------

# Finds `last`, the image to compare with. 2: there is none; 1: that cannot be told.
previous() {
    case ${BPFIMG_CI_PREVIOUS:-} in
    none) words='BPFIMG_CI_PREVIOUS is none'; return 2 ;;
    ?*) last=$BPFIMG_CI_PREVIOUS; return 0 ;;
    esac
    if ! bpfimg images -q "registry:$image" >"$work/tags" 2>"$work/tags.error"; then
        bpfimg images -o json "registry:$image" >/dev/null 2>"$work/tags.json"
        if grep -q '"kind": "NotFound"' "$work/tags.json"; then
            words='the registry has no image of this name yet'
            return 2
        fi
        cat "$work/tags.error" >&2
        if [ -n "$kept" ] && grep -Eiq '(40[13]|denied|unauthori[sz]ed)' "$work/tags.json"; then
            words='this job may not read the registry'
            return 2
        fi
        because "the tags of $image could not be listed (BPFIMG_CI_PREVIOUS=none compares with nothing)"
        return 1
    fi
    found=$(before "$tag" <"$work/tags")
    found=${found#* }
    if [ -z "$found" ]; then
        words='there is no earlier version in the registry'
        return 2
    fi
    last=registry:$image:$found
}

# Prints `version` where TAG is one, else `-`, and the greatest version among the tags on stdin that is before it.
# Versions are ordered as semantic ones; a release is compared with releases alone, and what is no version itself with
# the greatest release.
before() { # TAG
    awk -v now="$1" '
        function padded(number) { return substr("00000000000000000000", 1, 20 - length(number)) number }
        function key(tag,    at, early, parts, n, i, made) {
            sub(/^v/, "", tag)
            early = ""
            at = index(tag, "-")
            if (at) { early = substr(tag, at + 1); tag = substr(tag, 1, at - 1) }
            if (tag !~ /^[0-9]+(\.[0-9]+)?(\.[0-9]+)?$/ || length(tag) > 50 || (at && early == "")) return ""
            n = split(tag, parts, ".")
            made = "v"
            for (i = 1; i <= 3; i++) made = made padded(i <= n ? parts[i] : "0")
            if (early == "") return made "~"
            n = split(early, parts, ".")
            for (i = 1; i <= n; i++)
                made = made " " (parts[i] ~ /^[0-9]+$/ && length(parts[i]) < 20 ? "0" padded(parts[i]) : "1" parts[i])
            return made
        }
        BEGIN { own = key(now); early = own != "" && own !~ /~$/; best = ""; found = "" }
        {
            each = key($0)
            if (each == "" || $0 == now || (each !~ /~$/ && !early)) next
            if ((own == "" || each < own) && each > best) { best = each; found = $0 }
        }
        END { print (own != "" ? "version" : "-") " " found }'
}

major() {
    say "${1#v}" | awk -F. '{ print $1 }'
}

# Reports --------------------------------------------------------------------------------------------------------------

# Keeps GitHub's annotations for the end: it shows ten of each level of one step.
remarks() { # FILE
    [ ! -f "$1" ] || cat "$1" >>"$work/remarks"
}

# Runs one step, in a section of the log; notes what became of it.
step() { # NAME TITLE
    words=
    if [ -n "$github" ]; then
        say "::group::$2"
        # what is printed in between, names out of an image among it, is no command to the runner
        say "::stop-commands::$token"
    elif [ -n "$gitlab" ]; then
        printf '\033[0Ksection_start:%s:bpfimg_%s\r\033[0K%s\n' "$(date +%s)" "$1" "$2"
    else
        say "== $2"
    fi
    "do_$1"
    code=$?
    case $code in 0) result='done' ;; 2) result='left out' ;; *) result=failed failed="$failed $1" ;; esac
    if [ "$result" = failed ] && [ -z "$words" ]; then
        words='the log says why'
    fi
    say "$result${words:+: $words}"
    if [ -n "$github" ]; then
        say "::$token::"
        say '::endgroup::'
        [ "$result" != failed ] || printf '%s\n' "$2: $words" | sed 's/%/%25/g; s/^/::error title=bpfimg::/' >>"$work/remarks"
    elif [ -n "$gitlab" ]; then
        printf '\033[0Ksection_end:%s:bpfimg_%s\r\033[0K\n' "$(date +%s)" "$1"
    fi
    printf '| %s | %s | %s |\n' "$2" "$result" "$words" >>"$work/steps"
    [ "$result" != failed ]
}

left_out() { # TITLE
    printf '| %s | left out | an earlier step failed |\n' "$1" >>"$work/steps"
}

summary() {
    if [ -z "$failed" ]; then say '## bpfimg: done'; else say "## bpfimg: failed at$failed"; fi
    say
    say "Image \`$name\`${digest:+, digest \`$digest\`}"
    say
    say '| step | result | |'
    say '| --- | --- | --- |'
    cat "$work/steps"
    for what in lint diff check kernels; do
        is_file "$work/$what.md" || continue
        say
        cat "$work/$what.md"
    done
    [ "$pushed" = yes ] || return 0
    say
    say '### Whom to believe'
    say
    say 'On a host, once:'
    say
    say '```'
    if [ "$sign" = key ]; then
        say "bpfimg policy init --key key.pub --scope '$image'"
    elif [ "$sign" = keyless ]; then
        say "bpfimg policy init --scope '$image' --certificate-oidc-issuer '$issuer' \\"
        say "  --certificate-identity-regexp '$(say "${identity%@*}" | quoted)@refs/tags/.*'"
    fi
    say "bpfimg run $image@$digest HOOK"
    say '```'
}

# Text as a pattern that fits it alone.
quoted() {
    # shellcheck disable=SC2016
    sed 's/[].[\\*^$()+?{}|]/\\&/g'
}

outputs() {
    printf '%s\n' "image=$name" "digest=$digest" "reference=${digest:+$image@$digest}" "pushed=$pushed" "reports=$reports"
}

finish() {
    code=$?
    trap - EXIT
    if [ -n "$work" ] && is_file "$work/steps"; then
        summary >"$reports/summary.md"
        outputs | awk -F= '$1 != "reports" { print "BPFIMG_" toupper($1) "=" substr($0, length($1) + 2) }' >"$reports/bpfimg.env"
        if [ -n "$github" ]; then
            [ -z "${GITHUB_OUTPUT:-}" ] || outputs >>"$GITHUB_OUTPUT"
            if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then
                # GitHub drops a summary of more than a MiB
                head -c 1000000 "$reports/summary.md" >>"$GITHUB_STEP_SUMMARY"
            fi
            [ ! -f "$work/remarks" ] || shown "$work/remarks"
        else
            say
            cat "$reports/summary.md"
        fi
    fi
    [ -z "$work" ] || rm -rf -- "$work"
    [ -z "$failed" ] || code=1
    exit "$code"
}

# The first of the annotations of each level, and how many there are beyond.
shown() { # FILE
    awk -F'[: ]' '
        FNR == NR { total[$3]++; next }
        { if (++seen[$3] < 10 || total[$3] <= 10) print }
        END {
            for (level in total)
                if (total[level] > 10) print "::" level " title=bpfimg::" total[level] - 9 " more are in the summary of this job"
        }' "$1" "$1"
}

trap finish EXIT
trap 'failed="$failed (stopped)"; exit 130' INT
trap 'failed="$failed (stopped)"; exit 143' TERM HUP

command -v bpfimg >/dev/null || stop "there is no bpfimg on the search path: pip install 'bpfimg[keyless,sbom]'"
settings
token=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')

step build "build $name"
built=$failed
for each in 'lint lint' 'diff diff with the version before' "check check against kernels' types" 'kernels check in real kernels'; do
    # one that fails keeps no other from saying what it has to say
    if [ -z "$built" ]; then step "${each%% *}" "${each#* }"; else left_out "${each#* }"; fi
done
for each in sign push verify; do
    if [ -z "$failed" ]; then step "$each" "$each"; else left_out "$each"; fi
done
exit 0
