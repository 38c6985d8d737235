#include "app/typed.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <sys/auxv.h>
#include <system_error>
#include <unistd.h>
#include <vector>

namespace app {

namespace fs = std::filesystem;

namespace {

bool is_same_file(const fs::path& a, const fs::path& b)
{
    std::error_code none; // one that does not exist is no other
    return fs::equivalent(a, b, none);
}

/// What a shell runs for a name without a slash; empty where it finds nothing.
fs::path found_in_path(const std::string& name)
{
    const char* value = std::getenv("PATH");
    std::string_view rest = value ? value : "";
    while (!rest.empty()) {
        const auto colon = rest.find(':');
        auto candidate = fs::path(rest.substr(0, colon)) / name;
        std::error_code none;
        if (fs::is_regular_file(candidate, none) && ::access(candidate.c_str(), X_OK) == 0)
            return candidate;
        rest.remove_prefix(colon == rest.npos ? rest.size() : colon + 1);
    }
    return {};
}

bool has_slash(const std::string& name)
{
    return name.find('/') != name.npos;
}

/// Does it lead to `program`, typed here?
bool leads_to(const std::string& typed, const fs::path& program)
{
    return is_same_file(has_slash(typed) ? fs::path(typed) : found_in_path(typed), program);
}

/// From the folder we are in, if it is below that; else from the root.
std::string path_from_here(const fs::path& program)
{
    std::error_code error;
    const auto here = fs::current_path(error); // which may have been removed
    if (error)
        return program.string();
    const auto relative = program.lexically_relative(here);
    if (relative.empty() || *relative.begin() == "..")
        return program.string();
    return has_slash(relative.string()) ? relative.string() : "./" + relative.string();
}

/// The first of these that leads to `program`, else its path. Where it cannot be seen (it has been
/// removed, or we may not look) nothing can be told: the first then.
std::string first_that_leads(const std::vector<std::string>& candidates, const fs::path& program)
{
    std::error_code none;
    if (!fs::exists(program, none))
        return shell_word(candidates.front());
    const auto found =
        std::find_if(candidates.begin(), candidates.end(),
                     [&](const std::string& candidate) { return leads_to(candidate, program); });
    return shell_word(found != candidates.end() ? *found : path_from_here(program));
}

std::string in_folder(const fs::path& folder, const std::string& name)
{
    const auto path = (folder / name).lexically_normal().string();
    return has_slash(path) ? path : "./" + path;
}

} // namespace

std::string own_executable()
{
    std::error_code error;
    const auto path = std::filesystem::read_symlink("/proc/self/exe", error);
    if (!error)
        return path.string();
    // What execve(2) was given, not what we were told (getauxval(3)).
    // NOLINTNEXTLINE(performance-no-int-to-ptr): it is a number there
    const auto* executed = reinterpret_cast<const char*>(::getauxval(AT_EXECFN));
    const auto resolved = std::filesystem::canonical(executed, error);
    return error ? std::filesystem::absolute(executed).string() : resolved.string();
}

std::string typed_self(const std::string& argv0)
{
    return first_that_leads({argv0}, own_executable());
}

std::string path_of_sibling(const std::string& folder, const std::string& name)
{
    std::error_code none;
    const auto built = fs::path(own_executable()).parent_path();
    const auto program = (built / ".." / folder / name).lexically_normal();
    if (!fs::exists(program, none) && fs::exists(built / name, none))
        return (built / name).string(); // all in one folder
    return program.string();
}

std::string typed_sibling(const std::string& argv0, const std::string& folder,
                          const std::string& name)
{
    const fs::path program = path_of_sibling(folder, name);
    std::vector<std::string> candidates;
    if (has_slash(argv0)) {
        const auto typed = fs::path(argv0).parent_path();
        candidates.push_back(in_folder(typed / ".." / folder, name));
        candidates.push_back(in_folder(typed, name));
    } else {
        candidates.push_back(name);
    }
    return first_that_leads(candidates, program);
}

std::string typed_main(const std::string& argv0)
{
    const auto without_ending = [](const std::string& path) {
        const std::string ending = "_child";
        return path.ends_with(ending) ? path.substr(0, path.size() - ending.size()) : path;
    };
    return first_that_leads({without_ending(argv0)}, without_ending(own_executable()));
}

std::string shell_word(const std::string& text)
{
    static const std::string plain =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
        "_@%+=:,./-";
    const auto is_plain = [](char c) {
        return static_cast<unsigned char>(c) >= 0x80 || plain.find(c) != plain.npos;
    };
    if (!text.empty() && std::all_of(text.begin(), text.end(), is_plain))
        return text;
    std::string word = "'";
    for (const char c : text)
        word += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return word + "'";
}

} // namespace app
