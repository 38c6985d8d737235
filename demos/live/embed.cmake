# cmake -D PAGE=page.html -D SOURCE=page.cpp -P embed.cmake: the page as a string of C++.
file(READ "${PAGE}" text)
if(text MATCHES "\\)live_page\"")
    message(FATAL_ERROR "${PAGE} has in it what would end the string: )live_page\"")
endif()
file(WRITE "${SOURCE}" "#include <string_view>\n\nextern const std::string_view page;\nconst std::string_view page = R\"live_page(${text})live_page\";\n")
