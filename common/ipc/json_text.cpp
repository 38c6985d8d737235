#include "ipc/json_text.hpp"

#include "ipc/error.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

namespace ipc {

namespace {

constexpr std::string_view replacement = "\xef\xbf\xbd"; // U+FFFD

/// What a first byte of UTF-8 asks for: how many follow, and between what the second must lie (the
/// table 3-7 of the Unicode standard). None: no character begins like this.
struct utf8_begin {
    int following;
    unsigned char second_from = 0x80;
    unsigned char second_to = 0xbf;
};
std::optional<utf8_begin> begins_character(unsigned char byte)
{
    if (byte >= 0xc2 && byte <= 0xdf)
        return utf8_begin{1};
    if (byte >= 0xe0 && byte <= 0xef)
        return utf8_begin{2, static_cast<unsigned char>(byte == 0xe0 ? 0xa0 : 0x80),
                          static_cast<unsigned char>(byte == 0xed ? 0x9f : 0xbf)};
    if (byte >= 0xf0 && byte <= 0xf4)
        return utf8_begin{3, static_cast<unsigned char>(byte == 0xf0 ? 0x90 : 0x80),
                          static_cast<unsigned char>(byte == 0xf4 ? 0x8f : 0xbf)};
    return std::nullopt;
}

bool is_high_surrogate(std::uint32_t unit)
{
    return unit >= 0xd800 && unit <= 0xdbff;
}

bool is_low_surrogate(std::uint32_t unit)
{
    return unit >= 0xdc00 && unit <= 0xdfff;
}

// One pass over a line. It knows strings and brackets, which is enough to count; whether it is JSON
// is for the parser to say, and until then nothing here relies on it.
class canonical_copy {
public:
    explicit canonical_copy(std::string_view line) : line_(line) { copy_.reserve(line.size()); }

    std::string make()
    {
        while (at_ < line_.size()) {
            switch (const char c = line_[at_]) {
            case ' ':
            case '\t':
            case '\r':
            case '\n':
                was_space_ = true;
                ++at_;
                break;
            case '"':
                begin_token();
                if (!at_key())
                    count_value();
                else if (++open_.back().keys > max_keys)
                    throw protocol_error("more than " + std::to_string(max_keys) +
                                         " keys in one object");
                copy_string();
                break;
            case '{':
            case '[':
                count_value();
                structural(c);
                if (open_.size() == max_depth)
                    throw protocol_error("nested deeper than " + std::to_string(max_depth));
                open_.push_back({c == '{', c == '{', 0});
                break;
            case '}':
            case ']':
                structural(c);
                if (!open_.empty())
                    open_.pop_back();
                break;
            case ':':
            case ',':
                structural(c);
                if (!open_.empty())
                    open_.back().at_key = open_.back().is_object && c == ',';
                break;
            default:
                copy_scalar();
            }
        }
        return std::move(copy_);
    }

private:
    struct level {
        bool is_object;
        bool at_key;
        std::size_t keys;
    };

    bool at_key() const { return !open_.empty() && open_.back().at_key; }

    void count_value()
    {
        if (++values_ > max_values)
            throw protocol_error("more than " + std::to_string(max_values) + " values in one line");
    }

    void structural(char c)
    {
        copy_ += c;
        after_token_ = was_space_ = false;
        ++at_;
    }

    // White space goes, but not where it keeps two tokens apart: "1 2" must not become 12.
    void begin_token()
    {
        if (after_token_ && was_space_)
            copy_ += ' ';
        after_token_ = true;
        was_space_ = false;
    }

    // A number or a literal, up to what may end one.
    void copy_scalar()
    {
        begin_token();
        count_value();
        const auto end = std::min(line_.find_first_of(" \t\r\n\"{}[]:,", at_), line_.size());
        for (const char c : line_.substr(at_, end - at_))
            if (c == '\0')
                refuse_nul();
            else if (static_cast<unsigned char>(c) >= 0x80) // a byte order mark, say
                throw protocol_error("a line that is not JSON: " + quote(line_));
        copy_ += line_.substr(at_, end - at_);
        at_ = end;
    }

    void copy_string()
    {
        copy_ += '"';
        ++at_;
        while (at_ < line_.size()) {
            const char c = line_[at_];
            if (c == '"') {
                copy_ += c;
                ++at_;
                return;
            }
            if (c == '\\')
                copy_escape();
            else if (c == '\0')
                refuse_nul();
            else if (static_cast<unsigned char>(c) < 0x80)
                copy_ascii();
            else
                copy_character();
        }
    }

    // Most of what is ever sent: a run of bytes that stand for themselves.
    void copy_ascii()
    {
        const auto begin = at_;
        const auto stands_for_itself = [](char c) {
            return c != '\0' && static_cast<unsigned char>(c) < 0x80 && c != '"' && c != '\\';
        };
        while (at_ < line_.size() && stands_for_itself(line_[at_]))
            ++at_;
        copy_ += line_.substr(begin, at_ - begin);
    }

    // One character of more than one byte. What is none is replaced up to where it goes wrong.
    void copy_character()
    {
        const auto begin = at_;
        const auto kind = begins_character(static_cast<unsigned char>(line_[at_++]));
        bool whole = kind.has_value();
        for (int i = 0; whole && i < kind->following; ++i) {
            const auto byte = at_ < line_.size() ? static_cast<unsigned char>(line_[at_]) : 0;
            whole = byte >= (i == 0 ? kind->second_from : 0x80) &&
                    byte <= (i == 0 ? kind->second_to : 0xbf);
            at_ += whole;
        }
        copy_ += whole ? line_.substr(begin, at_ - begin) : replacement;
    }

    /// The UTF-16 unit of a \uXXXX at the current place.
    std::optional<std::uint32_t> escaped_unit() const
    {
        const auto escape = line_.substr(at_, 6);
        std::uint32_t unit = 0;
        if (escape.size() < 6 || !escape.starts_with("\\u") ||
            std::from_chars(escape.data() + 2, escape.data() + 6, unit, 16).ptr !=
                escape.data() + 6)
            return std::nullopt;
        return unit;
    }

    void copy_escape()
    {
        const auto unit = escaped_unit();
        if (!unit) {
            const auto escape = line_.substr(at_, 2);
            if (escape.size() == 2 && escape[1] == '\0')
                refuse_nul();
            copy_ += escape == "\\/" ? "/" : escape;
            at_ += escape.size();
            return;
        }
        at_ += 6;
        if (!is_high_surrogate(*unit))
            return append(*unit);
        const auto second = escaped_unit();
        if (!second || !is_low_surrogate(*second))
            return append(*unit);
        at_ += 6;
        append(0x10000 + ((*unit - 0xd800) << 10) + (*second - 0xdc00));
    }

    void append(std::uint32_t character)
    {
        constexpr std::string_view named = "\b\t\n\f\r\"\\";
        constexpr std::string_view names = "btnfr\"\\";
        const auto byte = [](std::uint32_t bits) { return static_cast<char>(bits); };
        const auto next = [&](int shift) { return byte(0x80 | ((character >> shift) & 0x3f)); };
        if (character < 0x80) {
            const auto name = named.find(byte(character));
            if (name != std::string_view::npos)
                (copy_ += '\\') += names[name];
            else if (character < 0x20)
                (copy_ += character < 0x10 ? "\\u000" : "\\u001") +=
                    "0123456789abcdef"[character & 0xf];
            else
                copy_ += byte(character);
        } else if (character < 0x800) {
            (copy_ += byte(0xc0 | (character >> 6))) += next(0);
        } else if (is_high_surrogate(character) || is_low_surrogate(character)) {
            copy_ += replacement;
        } else if (character < 0x10000) {
            ((copy_ += byte(0xe0 | (character >> 12))) += next(6)) += next(0);
        } else {
            (((copy_ += byte(0xf0 | (character >> 18))) += next(12)) += next(6)) += next(0);
        }
    }

    [[noreturn]] void refuse_nul() const
    {
        throw protocol_error("a NUL byte in a line: " + quote(line_));
    }

    std::string_view line_;
    std::size_t at_ = 0;
    std::string copy_;
    std::vector<level> open_;
    std::size_t values_ = 0;
    bool after_token_ = false; // the last thing copied was a string, a number or a literal
    bool was_space_ = false;   // and then came white space
};

// Takes what the parser finds and keeps nothing: memory is spent when somebody asks for the value.
class syntax_check : public nlohmann::json_sax<nlohmann::json> {
public:
    bool beyond_a_double = false;

    bool null() override { return true; }
    bool boolean(bool) override { return true; }
    bool number_integer(number_integer_t) override { return true; }
    bool number_unsigned(number_unsigned_t) override { return true; }
    bool number_float(number_float_t, const string_t&) override { return true; }
    bool string(string_t&) override { return true; }
    bool binary(binary_t&) override { return true; }
    bool start_object(std::size_t) override { return true; }
    bool key(string_t&) override { return true; }
    bool end_object() override { return true; }
    bool start_array(std::size_t) override { return true; }
    bool end_array() override { return true; }
    bool parse_error(std::size_t, const std::string&,
                     const nlohmann::detail::exception& error) override
    {
        beyond_a_double = error.id == 406; // out_of_range.406, "number overflow"
        return false;
    }
};

// The two below walk over text that has been checked.

std::size_t end_of_string(std::string_view text, std::size_t at)
{
    for (++at; text[at] != '"'; ++at)
        at += text[at] == '\\';
    return at + 1;
}

std::size_t end_of_value(std::string_view text, std::size_t at)
{
    for (std::size_t depth = 0; at < text.size(); ++at) {
        switch (text[at]) {
        case '"':
            at = end_of_string(text, at) - 1;
            break;
        case '{':
        case '[':
            ++depth;
            break;
        case '}':
        case ']':
            if (depth == 0)
                return at;
            --depth;
            break;
        case ',':
            if (depth == 0)
                return at;
            break;
        default:
            break;
        }
    }
    return at;
}

} // namespace

json_text check_json(std::string_view line)
{
    json_text result{canonical_copy(line).make()};
    syntax_check check;
    if (!nlohmann::json::sax_parse(result.text, &check))
        throw protocol_error((check.beyond_a_double ? "a number that no double can hold: "
                                                    : "a line that is not JSON: ") +
                             quote(line));
    return result;
}

protocol_members members_of(std::string_view object)
{
    protocol_members result;
    if (!object.starts_with('{'))
        return result;
    for (std::size_t at = 1; object[at] == '"';) {
        const auto key_end = end_of_string(object, at);
        const auto key = object.substr(at + 1, key_end - at - 2);
        const auto end = end_of_value(object, key_end + 1);
        const auto member = object.substr(key_end + 1, end - key_end - 1);
        if (key == "cmd")
            result.cmd = member;
        else if (key == "type")
            result.type = member;
        else if (key == "key")
            result.key = member;
        else if (key == "msg")
            result.msg = member;
        else if (key == "count")
            result.count = member;
        if (object[end] != ',')
            break;
        at = end + 1;
    }
    return result;
}

std::optional<std::string_view> plain_string(std::string_view json)
{
    if (!json.starts_with('"') || json.find('\\') != json.npos)
        return std::nullopt;
    return json.substr(1, json.size() - 2);
}

std::string quote(std::string_view bytes)
{
    std::string quoted = "\"";
    for (const char c : bytes.substr(0, 40)) {
        if (c >= 0x20 && c < 0x7f) {
            quoted += c;
        } else {
            std::array<char, 5> escaped{};
            std::snprintf(escaped.data(), escaped.size(), "\\x%02x", static_cast<unsigned char>(c));
            quoted += escaped.data();
        }
    }
    return quoted + (bytes.size() > 40 ? "\"..." : "\"");
}

} // namespace ipc
