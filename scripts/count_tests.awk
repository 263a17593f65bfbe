# awk -f scripts/count_tests.awk build/*/Testing/Temporary/LastTest.log
# Prints "passed failed": the number of tests. Criterion programs, the plain runner and Python unittests print their
# own counts; any other entry of ctest is one test. A failed entry counts as at least one failure. Planted faults are
# not counted.
function entry_ends(has_passed)
{
    if (!open) return
    if (ran == 0) ran = 1
    if (!has_passed && failed_here == 0) failed_here = 1
    passed += ran - failed_here; failed += failed_here
    open = 0
}
/^[0-9]+\/[0-9]+ Testing: / { entry_ends(0); open = $0 !~ / planted\./; ran = failed_here = 0 }
open && /Synthesis: Tested: / { split($0, f, /[|:]/); ran = f[3] + 0; failed_here = f[7] + f[9] }
open && /^[0-9]+ passed, [0-9]+ failed$/ { ran = $1 + $3; failed_here = $3 + 0 }
open && /^Ran [0-9]+ tests? in / { ran = $2 + 0 }
open && /^FAILED \(/ {
    n = split($0, f, /[^a-z0-9]+/)
    for (i = 1; i < n; i++) if (f[i] == "failures" || f[i] == "errors") failed_here += f[i + 1]
}
/^Test Passed\.$/ { entry_ends(1) }
/^End testing: / { entry_ends(0) }
END { print passed + 0, failed + 0 }
