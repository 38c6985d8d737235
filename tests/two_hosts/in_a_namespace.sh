#!/bin/sh
# in_a_namespace.sh COMMAND...: in a network namespace of its own. Exit code 77 where none can be made.
unshare --net true || exit 77
exec unshare --net "$@"
