// Raw responses, what a client makes of each, and who says so. One case a line: the parser's test
// feeds each of them whole, byte by byte, and cut in two at every point; the client's test serves
// each to the real program. After the bytes the server ends the connection.
#pragma once

#include <string>
#include <vector>

namespace http_response_cases {

/// May the connection carry another request afterwards?
enum connection_then { stays, ends };

struct response_case {
    std::string name;
    std::string bytes;
    int status;       ///< of the answer; below zero: refused, see there
    std::string body; ///< of the answer
    connection_then then;
    std::string source;
};

/// Refused, with the status that a server would refuse such a request with.
constexpr int refused(int status)
{
    return -status;
}

using std::operator""s; // a NUL in the text does not end it

inline const std::size_t max_header_size = 16 * 1024;
inline const std::size_t max_body_size = 1024 * 1024;

/// A response with these field lines.
inline std::string ok(const std::string& fields, const std::string& body = "")
{
    return "HTTP/1.1 200 OK\r\n" + fields + "\r\n" + body;
}
inline std::string chunked(const std::string& body)
{
    return ok("Transfer-Encoding: chunked\r\n", body);
}
/// In this coding, as the field says it; the body has the framing of "chunked".
inline std::string coded(const std::string& coding)
{
    return ok("Transfer-Encoding:" + coding + "\r\n", "5\r\nhello\r\n0\r\n\r\n");
}
/// A response with this status line.
inline std::string line(const std::string& status_line)
{
    return status_line + "\r\nContent-Length: 5\r\n\r\nhello";
}
/// A response whose head is `size` bytes long.
inline std::string head_of(std::size_t size)
{
    const std::string rest = ok("Content-Length: 0\r\nX: \r\n");
    return ok("Content-Length: 0\r\nX: " + std::string(size - rest.size(), 'x') + "\r\n");
}

inline const std::string five = "Content-Length: 5\r\n";

// clang-format off
inline const std::vector<response_case> all{
    // --- well-formed
    {"Length",                     ok(five, "hello"), 200, "hello", stays, "RFC 9112 §6.2"},
    {"LengthZero",                 ok("Content-Length: 0\r\n"), 200, "", stays, "RFC 9110 §8.6"},
    {"LengthLeadingZeros",         ok("Content-Length: 0005\r\n", "hello"), 200, "hello", stays, "RFC 9110 §8.6"},
    {"Chunked",                    chunked("5\r\nhello\r\n0\r\n\r\n"), 200, "hello", stays, "RFC 9112 §7.1"},
    {"ChunkedTwoChunks",           chunked("5\r\nhello\r\n00A\r\n0123456789\r\n0\r\n\r\n"), 200, "hello0123456789", stays, "RFC 9112 §7.1"},
    {"ChunkedAndEmpty",            chunked("0\r\n\r\n"), 200, "", stays, "RFC 9112 §7.1"},
    {"ChunkDataFullOfLineEnds",    chunked("6\r\n\r\r\n\n \r\r\n0\r\n\r\n"), 200, "\r\r\n\n \r", stays, "RFC 9112 §7.1"},
    {"ChunkExtension",             chunked("5;a=b\r\nhello\r\n0\r\n\r\n"), 200, "hello", stays, "RFC 9112 §7.1.1"},
    {"Trailers",                   chunked("5\r\nhello\r\n0\r\nX: y\r\nY: z\r\n\r\n"), 200, "hello", stays, "RFC 9112 §7.1.2"},
    {"ChunkedInAnyCase",           ok("transfer-ENCODING: cHunked\r\n", "5\r\nhello\r\n0\r\n\r\n"), 200, "hello", stays, "RFC 9112 §7"},
    {"ChunkedWithSpaceBehind",     coded(" chunked "), 200, "hello", stays, "RFC 9112 §5.1"},
    {"UntilTheEnd",                ok("", "hello"), 200, "hello", ends, "RFC 9112 §6.3"},
    {"UntilTheEndWithoutABody",    ok(""), 200, "", ends, "RFC 9112 §6.3"},
    {"BodyThatLooksFolded",        ok(five, " a\r\n "), 200, " a\r\n ", stays, "RFC 9112 §6.3"},
    {"BodyOfALineEnd",             ok("Content-Length: 2\r\n", "\r\n"), 200, "\r\n", stays, "RFC 9112 §6.3"},
    {"NoReasonPhrase",             line("HTTP/1.1 200 "), 200, "hello", stays, "RFC 9112 §4"},
    {"ObsTextInTheReason",         line("HTTP/1.1 200 \xe5\xad\x90"), 200, "hello", stays, "RFC 9112 §4"},
    {"ObsTextInAValue",            ok("X: \xe5\xad\x90\r\n" + five, "hello"), 200, "hello", stays, "RFC 9110 §5.5"},
    {"EmptyValue",                 ok("X:\r\n" + five, "hello"), 200, "hello", stays, "RFC 9110 §5.5"},
    {"BodyOfTheLargestSize",       ok("", std::string(max_body_size, 'x')), 200, std::string(max_body_size, 'x'), ends, "max_body_size"},
    {"HeadOfTheLargestSize",       head_of(max_header_size), 200, "", stays, "max_header_size"},

    // --- keep-alive
    {"CloseIsSaid",                ok("Connection: close\r\n" + five, "hello"), 200, "hello", ends, "RFC 9112 §9.3"},
    {"OneZeroEnds",                line("HTTP/1.0 200 OK"), 200, "hello", ends, "RFC 9112 §9.3"},
    {"OneZeroKeepsIfAsked",        "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", stays, "RFC 9112 §9.3"},
    {"OneZeroUntilTheEnd",         "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nhello", 200, "hello", ends, "RFC 9112 §6.3"},
    {"UpgradeIsOffered",           ok("Connection: Upgrade\r\nUpgrade: h2c\r\n" + five, "hello"), 200, "hello", stays, "RFC 9110 §7.8"},
    {"UpgradeIsRequired",          "HTTP/1.1 426 Upgrade Required\r\nConnection: Upgrade\r\nUpgrade: x\r\nContent-Length: 5\r\n\r\nhello", 426, "hello", stays, "RFC 9110 §15.5.22"},

    // --- statuses
    {"NotFound",                   line("HTTP/1.1 404 Not Found"), 404, "hello", stays, "RFC 9110 §15.5.5"},
    {"Status599",                  line("HTTP/1.1 599 x"), 599, "hello", stays, "RFC 9110 §15"},
    {"Status600",                  line("HTTP/1.1 600 x"), 600, "hello", stays, "RFC 9110 §15: as 5xx"},
    {"Status999",                  line("HTTP/1.1 999 x"), 999, "hello", stays, "RFC 9110 §15: as 5xx"},
    {"Status099IsNotInterim",      line("HTTP/1.1 099 x"), 99, "hello", stays, "RFC 9110 §15: as 5xx"},
    {"Status000IsNotInterim",      line("HTTP/1.1 000 x"), 0, "hello", stays, "RFC 9110 §15: as 5xx"},
    {"StatusOf1Digit",             line("HTTP/1.1 2"), refused(400), "", ends, "RFC 9112 §4"},
    {"StatusWithNothingBehind",    line("HTTP/1.1 200"), 200, "hello", stays, "llhttp, as Node"},
    {"StatusBehindTwoSpaces",      line("HTTP/1.1  200 OK"), refused(400), "", ends, "RFC 9112 §4"},
    {"StatusBehindATab",           line("HTTP/1.1\t200 OK"), refused(400), "", ends, "RFC 9112 §4"},
    {"StatusAndATab",              line("HTTP/1.1 200\tOK"), refused(400), "", ends, "RFC 9112 §4"},
    {"StatusOf2Digits",            line("HTTP/1.1 20 OK"), refused(400), "", ends, "RFC 9112 §4"},
    {"StatusOf4Digits",            line("HTTP/1.1 2000 OK"), refused(400), "", ends, "RFC 9112 §4"},
    {"StatusOfLetters",            line("HTTP/1.1 abc OK"), refused(400), "", ends, "RFC 9112 §4"},
    {"StatusIsNegative",           line("HTTP/1.1 -20 OK"), refused(400), "", ends, "RFC 9112 §4"},
    {"NoStatus",                   line("HTTP/1.1 OK"), refused(400), "", ends, "RFC 9112 §4"},
    {"NoContent",                  "HTTP/1.1 204 No Content\r\n\r\n", 204, "", stays, "RFC 9112 §6.3"},
    {"NoContentWithALength",       "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", 204, "", stays, "RFC 9112 §6.3"},
    {"NotModified",                "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, "", stays, "RFC 9112 §6.3"},
    {"NotModifiedChunked",         "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", 304, "", stays, "RFC 9112 §6.1"},
    {"NotModifiedInOtherCoding",   "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: gzip\r\n\r\n", 304, "", stays, "RFC 9112 §6.3"},
    {"NotModifiedOfManyBytes",     "HTTP/1.1 304 Not Modified\r\nContent-Length: 99999999\r\n\r\n", 304, "", stays, "RFC 9112 §6.3"},

    // --- interim answers
    {"Continue",                   "HTTP/1.1 100 Continue\r\n\r\n" + ok(five, "hello"), 200, "hello", stays, "RFC 9110 §15.2"},
    {"InterimOfAnyNumber",         "HTTP/1.1 199 x\r\n\r\n" + ok(five, "hello"), 200, "hello", stays, "RFC 9110 §15.2"},
    {"InterimTwice",               "HTTP/1.1 102 x\r\n\r\nHTTP/1.1 103 x\r\nLink: </a>\r\n\r\n" + ok(five, "hello"), 200, "hello", stays, "RFC 9110 §15.2"},
    {"InterimHasNoBody",           "HTTP/1.1 103 x\r\nContent-Length: 5\r\n\r\n" + ok(five, "hello"), 200, "hello", stays, "RFC 9112 §6.3"},
    {"InterimAndABody",            "HTTP/1.1 103 x\r\nContent-Length: 5\r\n\r\nhello" + ok(five, "hello"), refused(400), "", ends, "RFC 9112 §6.3"},
    {"InterimAndTheEnd",           "HTTP/1.1 103 x\r\n\r\n", refused(400), "", ends, "RFC 9112 §8"},
    {"SwitchingUnasked",           "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n" + ok(five, "hello"), refused(400), "", ends, "RFC 9110 §7.8"},
    {"SwitchingToNothing",         "HTTP/1.1 101 Switching Protocols\r\n\r\n" + ok(five, "hello"), refused(400), "", ends, "RFC 9110 §7.8"},

    // --- transfer codings
    {"CodingUnknown",              coded(" xchunked"), refused(501), "", ends, "RFC 9112 §7"},
    {"CodingSuffixed",             coded(" chunkedx"), refused(501), "", ends, "RFC 9112 §7"},
    {"CodingQuoted",               coded(" \"chunked\""), refused(501), "", ends, "RFC 9112 §7"},
    {"CodingWithAParameter",       coded(" chunked;a=b"), refused(501), "", ends, "RFC 9112 §7.1"},
    {"CodingWithATabBehind",       coded(" chunked\t"), refused(501), "", ends, "Node reads another coding; stricter than RFC 9112 §5.1"},
    {"CodingWithSpaceAndTabBehind", coded(" chunked \t "), refused(501), "", ends, "the same"},
    {"CodingWithATabInFront",      coded("\tchunked"), 200, "hello", stays, "RFC 9112 §5.1"},
    {"LengthWithATabBehind",       ok("Content-Length: 5\t\r\n", "\t\t\t\t\t"), 200, "\t\t\t\t\t", stays, "RFC 9112 §5.1"},
    {"CloseWithATabBehind",        ok("Connection: close\t\r\n" + five, "hello"), 200, "hello", ends, "RFC 9112 §5.1"},
    {"CloseOfAProxy",              ok("Proxy-Connection: close\r\n" + five, "hello"), 200, "hello", stays, "RFC 9112 §C.2.2"},
    {"TrailerWithoutAName",        chunked("0\r\n: y\r\n\r\n"), refused(400), "", ends, "RFC 9112 §5, §7.1.2"},
    {"CodingGzip",                 ok("Transfer-Encoding: gzip\r\n", "\x1f\x8b"), refused(501), "", ends, "RFC 9112 §6.3"},
    {"CodingIdentity",             ok("Transfer-Encoding: identity\r\n", "hello"), refused(501), "", ends, "RFC 9112 §7"},
    {"CodingEmpty",                ok("Transfer-Encoding:\r\n", "hello"), refused(501), "", ends, "RFC 9112 §6.1"},
    {"CodingGzipThenChunked",      coded(" gzip, chunked"), refused(501), "", ends, "RFC 9112 §6.1"},
    {"CodingsInTwoFields",         coded(" gzip\r\nTransfer-Encoding: chunked"), refused(501), "", ends, "RFC 9112 §6.1"},
    {"CodingChunkedThenGzip",      coded(" chunked, gzip"), refused(400), "", ends, "RFC 9112 §6.1"},
    {"CodingChunkedTwice",         coded(" chunked, chunked"), refused(400), "", ends, "RFC 9112 §6.1"},
    {"CodingChunkedInTwoFields",   coded(" chunked\r\nTransfer-Encoding: chunked"), refused(400), "", ends, "RFC 9112 §6.1"},
    {"CodingInOneZero",            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", refused(400), "", ends, "RFC 9112 §6.1"},
    {"CodingInOneZeroKeepAlive",   "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", refused(400), "", ends, "RFC 9112 §6.1"},
    {"CodingThenLength",           ok("Transfer-Encoding: chunked\r\n" + five, "0\r\n\r\n"), refused(400), "", ends, "RFC 9112 §6.3"},
    {"LengthThenCoding",           ok(five + "Transfer-Encoding: chunked\r\n", "0\r\n\r\n"), refused(400), "", ends, "RFC 9112 §6.3"},
    {"LengthAndUnknownCoding",     ok(five + "Transfer-Encoding: gzip\r\n", "hello"), refused(400), "", ends, "RFC 9112 §6.3"},

    // --- lengths
    {"LengthTwice",                ok(five + "Content-Length: 6\r\n", "hello!"), refused(400), "", ends, "RFC 9112 §6.3"},
    {"LengthTwiceTheSame",         ok(five + five, "hello"), refused(400), "", ends, "RFC 9112 §6.3"},
    {"LengthIsAList",              ok("Content-Length: 5, 5\r\n", "hello"), refused(400), "", ends, "RFC 9112 §6.3"},
    {"LengthOfLetters",            ok("Content-Length: five\r\n", "hello"), refused(400), "", ends, "RFC 9110 §8.6"},
    {"LengthWithLetters",          ok("Content-Length: 5x\r\n", "hello"), refused(400), "", ends, "RFC 9110 §8.6"},
    {"LengthWithMinus",            ok("Content-Length: -5\r\n", "hello"), refused(400), "", ends, "RFC 9110 §8.6"},
    {"LengthInHex",                ok("Content-Length: 0x5\r\n", "hello"), refused(400), "", ends, "RFC 9110 §8.6"},
    {"LengthIsEmpty",              ok("Content-Length:\r\n", "hello"), refused(400), "", ends, "RFC 9110 §8.6"},
    {"LengthBeyondTheLimit",       ok("Content-Length: 1048577\r\n"), refused(413), "", ends, "max_body_size"},
    {"LengthBeyond64Bits",         ok("Content-Length: 18446744073709551617\r\n"), refused(413), "", ends, "RFC 9110 §8.6"},

    // --- bodies
    {"HalfABody",                  ok("Content-Length: 6\r\n", "hello"), refused(400), "", ends, "RFC 9112 §8"},
    {"HalfAChunk",                 chunked("6\r\nhello"), refused(400), "", ends, "RFC 9112 §8"},
    {"NoLastChunk",                chunked("5\r\nhello\r\n"), refused(400), "", ends, "RFC 9112 §8"},
    {"NoEndOfTheTrailers",         chunked("5\r\nhello\r\n0\r\nX: y\r\n"), refused(400), "", ends, "RFC 9112 §8"},
    {"ChunkSizeOfLetters",         chunked("five\r\nhello\r\n0\r\n\r\n"), refused(400), "", ends, "RFC 9112 §7.1"},
    {"ChunkSizeInHex",             chunked("0x5\r\nhello\r\n0\r\n\r\n"), refused(400), "", ends, "RFC 9112 §7.1"},
    {"ChunkSizeIsNegative",        chunked("-5\r\nhello\r\n0\r\n\r\n"), refused(400), "", ends, "RFC 9112 §7.1"},
    {"ChunkShorterThanSaid",       chunked("6\r\nhello\r\n0\r\n\r\n"), refused(400), "", ends, "RFC 9112 §7.1"},
    {"ChunkLongerThanSaid",        chunked("4\r\nhello\r\n0\r\n\r\n"), refused(400), "", ends, "RFC 9112 §7.1"},
    {"ChunkBareLf",                chunked("5\nhello\n0\n\n"), refused(400), "", ends, "RFC 9112 §2.2"},
    {"ChunkBeyondTheLimit",        chunked("100001\r\n" + std::string(0x100001, 'x') + "\r\n0\r\n\r\n"), refused(413), "", ends, "max_body_size"},
    {"ChunkBeyond64Bits",          chunked("10000000000000000\r\n"), refused(413), "", ends, "RFC 9112 §7.1"},
    {"BodyTooLarge",               ok("", std::string(max_body_size + 1, 'x')), refused(413), "", ends, "max_body_size"},
    {"TrailersTooLong",            chunked("0\r\nX: " + std::string(max_body_size, 'y') + "\r\n\r\n"), refused(413), "", ends, "RFC 9112 §7.1.2"},

    // --- folded fields
    {"FoldedField",                ok("X: a\r\n b\r\n" + five, "hello"), 200, "hello", stays, "RFC 9112 §5.2"},
    {"FoldedWithTab",              ok("X: a\r\n\tb\r\n" + five, "hello"), 200, "hello", stays, "RFC 9112 §5.2"},
    {"FoldedTwice",                ok("X: a\r\n b\r\n \tc\r\n" + five, "hello"), 200, "hello", stays, "RFC 9112 §5.2"},
    {"FoldedToNothing",            ok("X: a\r\n \r\n" + five, "hello"), 200, "hello", stays, "RFC 9112 §5.2"},
    {"FoldedBeforeTheValue",       ok("X:\r\n b\r\n" + five, "hello"), 200, "hello", stays, "RFC 9112 §5.2"},
    {"FoldedAtTheEnd",             ok(five + "X: a\r\n b\r\n", "hello"), 200, "hello", stays, "RFC 9112 §5.2"},
    {"FoldedWhatLooksLikeAField",  ok("X: a\r\n Content-Length: 3\r\n" + five, "hello"), 200, "hello", stays, "RFC 9112 §5.2"},
    {"FoldedLength",               ok("Content-Length:\r\n 5\r\n", "hello"), 200, "hello", stays, "RFC 9112 §5.2"},
    {"FoldedLengthOfTwoParts",     ok("Content-Length: 1\r\n 0\r\n", "0123456789"), refused(400), "", ends, "RFC 9112 §5.2"},
    {"FoldedCoding",               coded("\r\n chunked"), 200, "hello", stays, "RFC 9112 §5.2"},
    {"FoldedCodings",              coded(" gzip,\r\n chunked"), refused(501), "", ends, "RFC 9112 §6.1"},
    {"FoldedClose",                ok("Connection: x,\r\n close\r\n" + five, "hello"), 200, "hello", ends, "RFC 9112 §5.2"},
    {"FoldedStatusLine",           ok(" X: a\r\n" + five, "hello"), refused(400), "", ends, "RFC 9112 §2.2"},
    {"SpaceBeforeTheLength",       ok(" " + five, "hello"), refused(400), "", ends, "RFC 9112 §2.2"},

    // --- head
    {"SpaceBeforeTheColon",        ok("Content-Length : 5\r\n", "hello"), refused(400), "", ends, "RFC 9112 §5.1"},
    {"NoName",                     ok(": y\r\n" + five, "hello"), refused(400), "", ends, "RFC 9110 §5.1"},
    {"NoColon",                    ok("X\r\n" + five, "hello"), refused(400), "", ends, "RFC 9112 §5"},
    {"NulInAValue",                ok("X: a\0b\r\n"s + five, "hello"), refused(400), "", ends, "RFC 9110 §5.5"},
    {"BareCrInAValue",             ok("X: y\rContent-Length: 5\r\n", "hello"), refused(400), "", ends, "RFC 9112 §2.2"},
    {"BareLfAfterAField",          ok("X: y\nContent-Length: 5\r\n", "hello"), refused(400), "", ends, "RFC 9112 §2.2"},
    {"BareLfEverywhere",           "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", refused(400), "", ends, "RFC 9112 §2.2"},
    {"BareCrAtTheEndOfTheHead",    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\rX", refused(400), "", ends, "RFC 9112 §2.2"},
    {"HeadTooLarge",               head_of(max_header_size + 1), refused(431), "", ends, "max_header_size"},
    {"HeadFarTooLarge",            head_of(4 * max_header_size), refused(431), "", ends, "max_header_size"},
    {"HeadFoldedWithoutEnd",       ok([] { std::string f = "X:"; for (int i = 0; i < 9000; ++i) f += "\r\n "; return f; }()), refused(431), "", ends, "max_header_size"},
    {"ReasonTooLong",              line("HTTP/1.1 200 " + std::string(max_header_size, 'x')), refused(431), "", ends, "max_header_size"},
    {"HalfAHead",                  "HTTP/1.1 200 OK\r\nContent-", refused(400), "", ends, "RFC 9112 §8"},
    {"HeadWithoutItsEmptyLine",    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", refused(400), "", ends, "RFC 9112 §8"},

    // --- versions, and what is no HTTP at all
    {"Version0_9",                 line("HTTP/0.9 200 OK"), refused(505), "", ends, "RFC 9110 §2.5"},
    {"Version2_0",                 line("HTTP/2.0 200 OK"), refused(505), "", ends, "RFC 9110 §2.5"},
    {"VersionInLowerCase",         line("http/1.1 200 OK"), refused(400), "", ends, "RFC 9112 §2.3"},
    {"VersionOfRtsp",              line("RTSP/1.0 200 OK"), refused(400), "", ends, "RFC 9112 §2.3"},
    {"VersionOfIcecast",           line("ICE/1.0 200 OK"), refused(400), "", ends, "RFC 9112 §2.3"},
    {"EmptyLineInFront",           "\r\n" + ok(five, "hello"), refused(400), "", ends, "RFC 9112 §2.1"},
    {"EmptyLinesForEver",          [] { std::string lines; for (int i = 0; i < 1000; ++i) lines += "\r\n"; return lines; }(), refused(400), "", ends, "RFC 9112 §2.1"},
    {"ALineOfText",                "http socket0 \xe5\xad\x90\xe8\xbf\x9b\xe7\xa8\x8b\xef\xbc\x9a" "28218", refused(400), "", ends, "RFC 9112 §4"},
    {"ARequest",                   "GET / HTTP/1.1\r\nHost: a\r\n\r\n", refused(400), "", ends, "RFC 9112 §4"},
    {"Ssh",                        "SSH-2.0-OpenSSH_9.2\r\n", refused(400), "", ends, "RFC 9112 §4"},
    {"TlsAlert",                   "\x15\x03\x01\x00\x02\x02\x46"s, refused(400), "", ends, "RFC 9112 §4"},
    {"Nuls",                       std::string(100, '\0'), refused(400), "", ends, "RFC 9112 §4"},
};
// clang-format on

/// Long ones of nothing but filler are not worth cutting everywhere.
inline bool is_worth_cutting_at(const response_case& one, std::size_t at)
{
    return one.bytes.size() < 1000 || (at < 100 && one.bytes.size() < 2 * max_header_size) ||
           at % (max_header_size - 1) == 0;
}

} // namespace http_response_cases
