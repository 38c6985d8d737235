#include "app/url.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <stdexcept>

namespace app {

namespace {

bool is_alphanumeric(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_control(char c)
{
    return static_cast<unsigned char>(c) < ' ' || c == '\x7f';
}

[[noreturn]] void refuse(const std::string& why)
{
    throw std::invalid_argument(why);
}

std::string without_scheme(std::string_view text)
{
    const auto end = text.find("://");
    std::string scheme(text.substr(0, end));
    std::transform(scheme.begin(), scheme.end(), scheme.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (end == text.npos)
        refuse("a URL begins with http://, as in http://localhost:8888/");
    if (scheme == "https")
        refuse("https:// needs TLS, which is not part of this suite; take http://");
    if (scheme != "http")
        refuse("only http:// is spoken here, not " + scheme + "://");
    return std::string(text.substr(end + 3));
}

std::uint16_t parse_port(std::string_view text)
{
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.begin(), text.end(), port);
    if (error != std::errc() || end != text.end() || port == 0)
        refuse("the port of a URL is a number from 1 to 65535");
    return port;
}

// authority = host [ ":" port ] (RFC 3986 §3.2), to both of which it adds nothing.
void parse_authority(std::string_view text, url& result)
{
    if (text.find('@') != text.npos)
        refuse("no user name or password is sent: leave out what stands before the '@'");
    const bool in_brackets = text.starts_with('[');
    const auto end = in_brackets ? text.find(']') : std::min(text.find(':'), text.size());
    if (end == text.npos)
        refuse("the ']' behind an IPv6 address is missing");
    result.host = text.substr(in_brackets, end - in_brackets);
    const auto port = text.substr(end + in_brackets);
    if (!in_brackets && port.find(':', 1) != port.npos)
        refuse("an IPv6 address stands in brackets, as in http://[::1]:8888/");
    if (result.host.empty())
        refuse("a URL names a host, as in http://localhost:8888/");
    if (!port.empty() && port.front() != ':')
        refuse("behind the ']' of an IPv6 address comes a port or the path");
    if (port.size() > 1)
        result.port = parse_port(port.substr(1));

    if (in_brackets)
        if (const auto zone = result.host.find("%25"); zone != result.host.npos)
            result.host.erase(zone + 1, 2);
    const char* also = in_brackets ? ":.%-_~" : ".-_~";
    if (!std::all_of(result.host.begin(), result.host.end(), [also](char c) {
            return is_alphanumeric(c) || (c != 0 && std::strchr(also, c));
        }))
        refuse("that is no name of a host: letters, digits, '.' and '-'");
    if (in_brackets && result.host.find(':') == result.host.npos)
        refuse("in the brackets of a URL stands an IPv6 address");
}

std::string escaped(std::string_view text)
{
    constexpr char digits[] = "0123456789ABCDEF";
    std::string result;
    for (const char c : text) {
        if (is_control(c))
            refuse("a URL has no control characters or line ends");
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x80 || std::strchr(" \"<>\\^`{|}", c))
            result.append({'%', digits[byte >> 4], digits[byte & 15]});
        else
            result += c;
    }
    return result;
}

} // namespace

url parse_url(std::string_view text)
{
    const std::string rest = without_scheme(text);
    const auto path = std::min(rest.find_first_of("/?#"), rest.size());
    url result;
    parse_authority(std::string_view(rest).substr(0, path), result);
    result.target = escaped(rest.substr(path, rest.find('#', path) - path));
    if (!result.target.starts_with('/'))
        result.target.insert(0, "/");
    return result;
}

std::string to_string(const std::string& host, std::uint16_t port)
{
    const bool is_v6_address = host.find(':') != std::string::npos;
    return (is_v6_address ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::string as_host(std::string& text)
{
    if (text.size() > 2 && text.front() == '[' && text.back() == ']')
        text = text.substr(1, text.size() - 2);
    if (text.empty())
        return "a name or an address is needed, localhost say";
    if (text.find('/') != text.npos)
        return "'" + text + "' is more than a host: a name or an address is needed";
    const auto colon = text.find(':');
    if (colon != text.npos && text.find(':', colon + 1) == text.npos)
        return "'" + text + "' is a host and a port: that is --port";
    return "";
}

} // namespace app
