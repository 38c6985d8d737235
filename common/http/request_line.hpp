// request_line: may these bytes be the first line of a request? (RFC 9112 §3)
//
//     GET /path HTTP/1.1 CR LF
//
//     method ──SP──> target ──SP──> version ──CR LF──> complete
//        └──────────────┴──────────────┴── any other byte ──> malformed
//
// llhttp takes more than that in some places, and has an opinion about an unknown method only. What
// has called on the wrong port, and waits for a word before it says more, gets it from here: with
// the first byte that no request could have.
#pragma once

#include <cstddef>
#include <string_view>

namespace http {

class character_set;

class request_line {
public:
    /// Looks at the bytes that follow those of the last call, up to the end of the line or the
    /// first byte that cannot be there, and returns how many that were, the last one included.
    std::size_t check(std::string_view bytes) noexcept;

    bool is_complete() const noexcept { return part_ == part::complete; }
    bool is_malformed() const noexcept { return part_ == part::malformed; }

    /// The version's digit before the point, of a complete line: 1 is HTTP/1.0 or 1.1 or such.
    int major_version() const noexcept { return major_version_; }

private:
    enum class part { method, target, version, complete, malformed };
    std::size_t take(std::string_view bytes, const character_set& characters, part next) noexcept;
    void take_of_version(char c) noexcept;

    part part_ = part::method;
    std::size_t length_ = 0; // of the part so far
    int major_version_ = 0;
};

} // namespace http
