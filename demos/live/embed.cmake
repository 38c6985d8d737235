# cmake -D PAGE=page.html -D SOURCE=page.cpp -P embed.cmake: the page as bytes of C++. Not as a string: clang++ warns of one over 64 KiB.
file(READ "${PAGE}" bytes HEX)
string(REGEX REPLACE "(..)" "'\\\\x\\1'," bytes "${bytes}")
file(WRITE "${SOURCE}" "#include <string_view>\n\nnamespace {\nconst char bytes[] = {${bytes}};\n}\n\nextern const std::string_view page;\nconst std::string_view page(bytes, sizeof bytes);\n")
