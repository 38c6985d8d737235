// What a user can type: the commands in our messages, right where he is.
#pragma once

#include <string>

namespace app {

/// The path of this process's executable, whatever argv[0] says, and without /proc too.
std::string own_executable();

/// How to type this very program here, in the user's folder: as he has typed it (`argv0`), where
/// that leads to it, be it through PATH or a symbolic link; else its path.
std::string typed_self(const std::string& argv0);

/// The same for another program of the suite: ("build/demos/socket_fanout", "clients",
/// "net_client"). Beside the link or in the PATH through which this one was found, or else where it
/// was built, from here if that is below, else from the root. Where there is no such program, where
/// it would be.
std::string typed_sibling(const std::string& argv0, const std::string& folder,
                          const std::string& name);

/// Where another program of the suite is, for whoever starts it: beside the folder of this one
/// ("clients", "net_client"), or in the same folder.
std::string path_of_sibling(const std::string& folder, const std::string& name);

/// The main of this worker: "build/demos/socket_fanout" for "build/demos/socket_fanout_child".
std::string typed_main(const std::string& argv0);

/// One word for a shell: quoted where it must be (POSIX, Shell Command Language, 2.2).
std::string shell_word(const std::string& text);

} // namespace app
