# cmake -D PROGRAM=... -D FILTER=... -D REASON=regex -P must_fail.cmake
# Passes if the planted test makes its program fail for the planted reason: a program
# that cannot start, or fails for another reason, proves nothing.
execute_process(COMMAND ${PROGRAM} --filter ${FILTER}
    RESULT_VARIABLE result OUTPUT_VARIABLE out ERROR_VARIABLE out)
if(result EQUAL 0)
    message(FATAL_ERROR "${FILTER} passed, but a fault was planted in it. Output:\n${out}")
endif()
if(NOT out MATCHES "${REASON}")
    message(FATAL_ERROR "${FILTER} failed (${result}), but not with '${REASON}'. Output:\n${out}")
endif()
if(NOT out MATCHES "FAIL ${FILTER}")
    message(FATAL_ERROR "${FILTER} failed (${result}), but the runner did not name it. Output:\n${out}")
endif()
message("${FILTER} failed as expected: '${CMAKE_MATCH_0}'")
