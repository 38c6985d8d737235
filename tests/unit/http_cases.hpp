// Raw requests, what the server makes of each, and who says so. One case a line: the parser's test
// and the server's feed each of them whole, byte by byte, and cut in two at every point.
//
// After each case comes a follow-up, "GET /next": it is to be answered as the next request if the
// connection goes on, and never if it ends; that is what "smuggling" would need.
//
// Where llhttp 8 (Debian 12) and llhttp 9 (Debian 13) differ, each has its own line.
#pragma once

#include <llhttp.h>
#include <string>
#include <vector>

namespace http_cases {

/// What the cases are meant for.
constexpr std::size_t max_header_size = 1024;
constexpr std::size_t max_body_size = 1000;

enum connection_then { stays, ends };

struct http_case {
    std::string name;
    std::string bytes;
    std::vector<unsigned> answers; ///< statuses, in order; 200 is a request that was served
    connection_then then;
    std::string source;
};

using std::operator""s; // a NUL in the text does not end it

/// A request with these field lines after Host.
inline std::string get(const std::string& fields, const std::string& body = "")
{
    return "GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n" + body;
}
inline std::string post(const std::string& fields, const std::string& body = "")
{
    return "POST / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n" + body;
}
inline std::string chunked(const std::string& body)
{
    return post("Transfer-Encoding: chunked\r\n", body);
}
/// A whole request with this request line.
inline std::string line(const std::string& request_line)
{
    return request_line + "\r\nHost: a\r\n\r\n";
}
inline std::string host(const std::string& value)
{
    return "GET / HTTP/1.1\r\nHost:" + value + "\r\n\r\n";
}
/// A request whose head is `size` bytes long.
inline std::string head_of(std::size_t size)
{
    const auto rest = get("X: \r\n").size();
    return get("X: " + std::string(size - rest, 'x') + "\r\n");
}

// clang-format off
inline const std::vector<http_case> all{
    // --- well-formed
    {"Get",                        get(""), {200}, stays, "RFC 9112 §3"},
    {"Head",                       line("HEAD / HTTP/1.1"), {200}, stays, "RFC 9110 §9.3.2"},
    {"Delete",                     line("DELETE /a HTTP/1.1"), {200}, stays, "RFC 9110 §9.3.5"},
    {"MethodWithAHyphen",          line("M-SEARCH * HTTP/1.1").replace(9, 1, "/"), {200}, stays, "RFC 9110 §9.1"},
    {"OptionsAsterisk",            line("OPTIONS * HTTP/1.1"), {200}, stays, "RFC 9112 §3.2.4"},
    {"AbsoluteForm",               line("GET http://example.com:80/a?b HTTP/1.1"), {200}, stays, "RFC 9112 §3.2.2"},
    {"TargetWithQueryAndEscapes",  line("GET /a%20b/?c=d&e=%ff HTTP/1.1"), {200}, stays, "RFC 3986 §3.4"},
    {"EmptyLinesInFront",          "\r\n\r\n" + get(""), {200}, stays, "RFC 9112 §2.2"},
    {"EmptyLineBehindABody",       post("Content-Length: 2\r\n", "ab\r\n"), {200}, stays, "RFC 9112 §2.2"},
    {"TwoInARow",                  get("") + line("HEAD /b HTTP/1.1"), {200, 200}, stays, "RFC 9112 §9.3.2"},
    {"EveryTokenCharInAName",      get("!#$%&'*+-.^_`|~09azAZ: x\r\n"), {200}, stays, "RFC 9110 §5.6.2"},
    {"EmptyValue",                 get("X:\r\n"), {200}, stays, "RFC 9110 §5.5"},
    {"TabsAndSpacesAroundAValue",  get("X:\t  x y \t\r\n"), {200}, stays, "RFC 9112 §5.1"},
    {"ColonInAValue",              get("X: a:b:\r\n"), {200}, stays, "RFC 9110 §5.5"},
    {"ObsTextInAValue",            get("X: \xe5\xad\x90\r\n"), {200}, stays, "RFC 9110 §5.5"},
    {"SameFieldTwice",             get("X: 1\r\nX: 2\r\n"), {200}, stays, "RFC 9110 §5.3"},
    {"HeadOfTheLargestSize",       head_of(max_header_size), {200}, stays, "maxHeaderSize"},
    {"HostWithPort",               host(" localhost:8888"), {200}, stays, "RFC 9112 §3.2"},
    {"HostIsAnIPv6Address",        host(" [::1]:8888"), {200}, stays, "RFC 3986 §3.2.2"},
    {"HostIsEmpty",                host(""), {200}, stays, "RFC 9112 §3.2"},
    {"HostWithEscapes",            host(" a%2db_c.example:"), {200}, stays, "RFC 3986 §3.2.2"},

    // --- keep-alive
    {"CloseIsSaid",                get("Connection: close\r\n"), {200}, ends, "RFC 9112 §9.6"},
    {"CloseInAnyCase",             get("connection: CLOSE\r\n"), {200}, ends, "RFC 9110 §7.6.1"},
    {"CloseInAList",               get("Connection: x-a , close\r\n"), {200}, ends, "RFC 9110 §7.6.1"},
    {"CloseBeatsKeepAlive",        get("Connection: keep-alive, close\r\n"), {200}, ends, "RFC 9112 §9.3"},
    {"CloseInASecondField",        get("Connection: keep-alive\r\nConnection: close\r\n"), {200}, ends, "RFC 9112 §9.3"},
    {"CloseBetweenTabs",           get("Connection:\tx-a\t,\tclose\t\r\n"), {200}, ends, "RFC 9110 §5.6.3"},
    {"CloseAndATab",               get("Connection: close\t\r\n"), {200}, ends, "RFC 9112 §5.1"},
    {"CloseAmongEmptyElements",    get("Connection: , close ,,\r\n"), {200}, ends, "RFC 9110 §5.6.1.2"},
    {"CloseIsAPartOfAWord",        get("Connection: closed, x-close, close-x\r\n"), {200}, stays, "RFC 9110 §7.6.1"},
    {"CloseOfAProxy",              get("Proxy-Connection: close\r\n"), {200}, stays, "RFC 9112 §C.2.2: not a field of HTTP"},
    {"CloseAfterABody",            post("Connection: close\r\nContent-Length: 2\r\n", "ab"), {200}, ends, "RFC 9112 §9.6"},
    {"OneZeroEnds",                "GET / HTTP/1.0\r\n\r\n", {200}, ends, "RFC 9112 §9.3"},
    {"OneZeroWithHost",            "GET / HTTP/1.0\r\nHost: a\r\n\r\n", {200}, ends, "RFC 9112 §3.2"},
    {"OneZeroKeepsIfAsked",        "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", {200}, stays, "RFC 9112 §9.3"},
    {"OneZeroKeepsIfAskedWithATab","GET / HTTP/1.0\r\nConnection: keep-alive\t\r\n\r\n", {200}, stays, "RFC 9112 §5.1"},
    {"OneZeroKeepAliveOfAProxy",   "GET / HTTP/1.0\r\nProxy-Connection: keep-alive\r\n\r\n", {200}, ends, "RFC 9112 §C.2.2"},
    {"OneZeroCloseBeatsKeepAlive", "GET / HTTP/1.0\r\nConnection: close, keep-alive\r\n\r\n", {200}, ends, "RFC 9112 §9.3"},
    {"OneZeroBodyAndKeepAlive",    "POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nab", {200}, stays, "RFC 9112 §9.3"},

    // --- bodies
    {"ContentLength",              post("Content-Length: 5\r\n", "hello"), {200}, stays, "RFC 9112 §6.2"},
    {"ContentLengthZero",          post("Content-Length: 0\r\n"), {200}, stays, "RFC 9110 §8.6"},
    {"ContentLengthLeadingZeros",  post("Content-Length: 0005\r\n", "hello"), {200}, stays, "RFC 9110 §8.6"},
    {"ContentLengthSpaceBehind",   post("Content-Length: 5 \r\n", "hello"), {200}, stays, "RFC 9112 §5.1"},
    {"ContentLengthTabBehind",     post("Content-Length: 5\t\r\n", "hello"), {200}, stays, "RFC 9112 §5.1"},
    {"ContentLengthTabsAround",    post("Content-Length:\t 5 \t \r\n", "hello"), {200}, stays, "RFC 9112 §5.1"},
    {"TabsInABody",                post("X:\ty\r\nContent-Length: 5\r\n", "\t\t\t\t\t"), {200}, stays, "RFC 9112 §6.2"},
    {"PostWithoutLength",          post(""), {200}, stays, "RFC 9112 §6.3"},
    {"GetWithABody",               get("Content-Length: 5\r\n", "hello"), {200}, stays, "RFC 9110 §9.3.1"},
    {"BodyThatLooksLikeARequest",  post("Content-Length: 37\r\n", "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n\r\n"), {200}, stays, "RFC 9112 §6.3"},
    {"BodyOfTheLargestSize",       post("Content-Length: 1000\r\n", std::string(1000, 'x')), {200}, stays, "maxBodySize"},
    {"Chunked",                    chunked("5\r\nhello\r\n0\r\n\r\n"), {200}, stays, "RFC 9112 §7.1"},
    {"ChunkedAndEmpty",            chunked("0\r\n\r\n"), {200}, stays, "RFC 9112 §7.1"},
    {"ChunkedTwoChunks",           chunked("5\r\nhello\r\n00A\r\n0123456789\r\n0\r\n\r\n"), {200}, stays, "RFC 9112 §7.1"},
    {"ChunkDataFullOfLineEnds",    chunked("6\r\n\r\r\n\n \r\r\n0\r\n\r\n"), {200}, stays, "RFC 9112 §7.1"},
    {"ChunkExtension",             chunked("5;a=b\r\nhello\r\n0;d=\"e f\";g\r\n\r\n"), {200}, stays, "RFC 9112 §7.1.1"},
#if LLHTTP_VERSION_MAJOR < 9
    {"ChunkExtensionBehindAValue", chunked("5;a=b;c\r\nhello\r\n0\r\n\r\n"), {400}, ends, "llhttp 8, stricter than RFC 9112 §7.1.1"},
#else
    {"ChunkExtensionBehindAValue", chunked("5;a=b;c\r\nhello\r\n0\r\n\r\n"), {200}, stays, "RFC 9112 §7.1.1"},
#endif
    {"Trailers",                   chunked("5\r\nhello\r\n0\r\nX: y\r\nHost: b\r\n\r\n"), {200}, stays, "RFC 9112 §7.1.2"},
    {"ChunkedInAnyCase",           post("transfer-ENCODING: cHunked\r\n", "0\r\n\r\n"), {200}, stays, "RFC 9112 §7"},
    {"ChunkedAndATab",             post("Transfer-Encoding: chunked\t\r\n", "2\r\n\t\t\r\n0\r\n\r\n"), {200}, stays, "RFC 9112 §5.1"},
    {"ChunkedBetweenTabs",         post("Transfer-Encoding:\t\tchunked \t\r\n", "0\r\n\r\n"), {200}, stays, "RFC 9112 §5.1"},
    {"TransferEncodingUnderscore", post("Transfer_Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"), {200}, stays, "RFC 9110 §5.1"},

    // --- expectations, offers
    {"ExpectContinue",             post("Expect: 100-Continue\r\nContent-Length: 2\r\n", "ab"), {200}, stays, "RFC 9110 §10.1.1"},
    {"ExpectWithoutABody",         get("Expect: 100-continue\r\n"), {200}, stays, "RFC 9110 §10.1.1"},
    {"ExpectContinueTwice",        post("Expect: 100-continue\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n", "ab"), {200}, stays, "RFC 9110 §5.2, §10.1.1"},
    {"ExpectContinueTwiceInAList", post("Expect: 100-continue,\t100-continue\t\r\nContent-Length: 2\r\n", "ab"), {200}, stays, "RFC 9110 §10.1.1"},
    {"ExpectAmongEmptyElements",   post("Expect: ,, 100-continue ,\r\nContent-Length: 2\r\n", "ab"), {200}, stays, "RFC 9110 §5.6.1.2"},
    {"ExpectNothing",              get("Expect:\r\n"), {200}, stays, "RFC 9110 §10.1.1"},
    {"ExpectInOneZeroIsIgnored",   "GET / HTTP/1.0\r\nExpect: the unexpected\r\n\r\n", {200}, ends, "RFC 9110 §10.1.1"},
    {"ExpectSomethingElse",        get("Expect: the unexpected\r\n"), {417}, ends, "RFC 9110 §10.1.1"},
    {"ExpectTwoThings",            get("Expect: 100-continue, more\r\n"), {417}, ends, "RFC 9110 §10.1.1"},
    {"ExpectTwoThingsInTwoFields", get("Expect: 100-continue\r\nExpect: more\r\n"), {417}, ends, "RFC 9110 §5.2, §10.1.1"},
    {"ExpectWithAParameter",       get("Expect: 100-continue;a=b\r\n"), {417}, ends, "RFC 9110 §10.1.1"},
    {"UpgradeToWebSocket",         get("Connection: Upgrade\r\nUpgrade: websocket\r\n"), {200}, stays, "RFC 9110 §7.8"},
    {"UpgradeToHttp2",             get("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAM\r\n"), {200}, stays, "RFC 9110 §7.8"},
    {"UpgradeWithABody",           post("Connection: upgrade\r\nUpgrade: x\r\nContent-Length: 2\r\n", "ab"), {200}, stays, "RFC 9110 §7.8"},
    {"UpgradeAndClose",            get("Connection: upgrade, close\r\nUpgrade: x\r\n"), {200}, ends, "RFC 9110 §7.8"},
    {"Http2Preface",               "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {505}, ends, "RFC 9113 §3.4"},
    {"TlsHello",                   "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n"s, {400}, ends, "RFC 9112 §3"},

    // --- request line
    {"NoRequestLine",              "what is this\r\n\r\n", {400}, ends, "RFC 9112 §3"},
    {"NoVersion",                  "GET /\r\n\r\n", {400}, ends, "RFC 9112 §3"},
    {"NoTarget",                   line("GET HTTP/1.1"), {400}, ends, "RFC 9112 §3"},
    {"TwoSpacesBeforeTheTarget",   line("GET  / HTTP/1.1"), {400}, ends, "RFC 9112 §3"},
    {"TwoSpacesBeforeTheVersion",  line("GET /  HTTP/1.1"), {400}, ends, "RFC 9112 §3"},
    {"SpaceInFront",               line(" GET / HTTP/1.1"), {400}, ends, "RFC 9112 §3"},
    {"SpaceBehind",                line("GET / HTTP/1.1 "), {400}, ends, "RFC 9112 §3"},
    {"SpaceInTheTarget",           line("GET /a b HTTP/1.1"), {400}, ends, "RFC 9112 §3.2"},
    {"TabInsteadOfSpace",          line("GET\t/\tHTTP/1.1"), {400}, ends, "RFC 9112 §3"},
    {"TabBeforeTheTarget",         line("GET\t/ HTTP/1.1"), {400}, ends, "RFC 9112 §3"},
    {"TabBeforeTheVersion",        line("GET /\tHTTP/1.1"), {400}, ends, "RFC 9112 §3"},
    {"TabBehindTheVersion",        line("GET / HTTP/1.1\t"), {400}, ends, "RFC 9112 §3"},
    {"TabInTheTarget",             line("GET /a\tb HTTP/1.1"), {400}, ends, "RFC 9112 §3.2"},
    {"TabInFront",                 line("\tGET / HTTP/1.1"), {400}, ends, "RFC 9112 §3"},
    {"UnknownMethod",              line("BREW / HTTP/1.1"), {501}, ends, "RFC 9110 §9.1"},
    {"UnknownMethodFromAKnownOne", line("GETS / HTTP/1.1"), {501}, ends, "RFC 9110 §9.1"},
    {"MethodInLowerCase",          line("get / HTTP/1.1"), {501}, ends, "RFC 9110 §9.1"},
    {"MethodOfRtsp",               line("DESCRIBE / HTTP/1.1"), {501}, ends, "RFC 9110 §9.1"},
    {"UnknownMethodNoVersion",     "BREW /\r\n\r\n", {400}, ends, "RFC 9112 §3"},
    {"UnknownMethodNoTarget",      line("BREW HTTP/1.1"), {400}, ends, "RFC 9112 §3"},
    {"UnknownMethodOfHttp2",       line("BREW / HTTP/2.0"), {505}, ends, "RFC 9110 §15.6.6"},
    {"UnknownMethodBareLf",        "BREW / HTTP/1.1\nHost: a\r\n\r\n", {400}, ends, "RFC 9112 §2.2"},
    {"UnknownMethodEndlessLine",   "BREW /" + std::string(max_header_size, 'x'), {414}, ends, "RFC 9112 §3"},
    {"MethodIsNoToken",            line("B(EW / HTTP/1.1"), {400}, ends, "RFC 9110 §5.6.2"},
    {"ResponseInsteadOfRequest",   line("HTTP/1.1 200 OK"), {400}, ends, "RFC 9112 §3"},
    {"Connect",                    line("CONNECT a:80 HTTP/1.1"), {501}, ends, "RFC 9110 §9.3.6"},
    {"ConnectToAPath",             line("CONNECT /a HTTP/1.1"), {501}, ends, "RFC 9110 §9.3.6"},
    {"AuthorityFormWithGet",       line("GET a:80 HTTP/1.1"), {400}, ends, "RFC 9112 §3.2.3"},
    {"AsteriskWithGet",            line("GET * HTTP/1.1"), {400}, ends, "RFC 9112 §3.2.4"},
    {"RelativeTarget",             line("GET a/b HTTP/1.1"), {400}, ends, "RFC 9112 §3.2.1"},
    {"FragmentInTheTarget",        line("GET /a#b HTTP/1.1"), {400}, ends, "RFC 9112 §3.2"},
    {"NulInTheTarget",             line("GET /\0 HTTP/1.1"s), {400}, ends, "RFC 9112 §3.2"},
    {"ControlCharInTheTarget",     line("GET /\x01 HTTP/1.1"), {400}, ends, "RFC 9112 §3.2"},
    {"DeleteCharInTheTarget",      line("GET /\x7f HTTP/1.1"), {400}, ends, "RFC 9112 §3.2"},
    {"ObsTextInTheTarget",         line("GET /\xe5 HTTP/1.1"), {400}, ends, "RFC 3986 §2"},
    {"TargetTooLong",              line("GET /" + std::string(max_header_size, 'x') + " HTTP/1.1"), {414}, ends, "RFC 9110 §15.5.15"},

    // --- versions
    {"Version0_9",                 line("GET / HTTP/0.9"), {505}, ends, "RFC 9110 §15.6.6"},
    {"Version1_2",                 line("GET / HTTP/1.2"), {505}, ends, "architecture: 1.0 and 1.1 only"},
    {"Version2_0",                 line("GET / HTTP/2.0"), {505}, ends, "RFC 9110 §15.6.6"},
    {"Version3_0",                 line("GET / HTTP/3.0"), {505}, ends, "RFC 9110 §15.6.6"},
    {"VersionOfTwoDigits",         line("GET / HTTP/1.10"), {400}, ends, "RFC 9112 §2.3"},
    {"VersionOfTwoDigitsMajor",    line("GET / HTTP/11.1"), {400}, ends, "RFC 9112 §2.3"},
    {"VersionWithoutMinor",        line("GET / HTTP/1"), {400}, ends, "RFC 9112 §2.3"},
    {"VersionOfLetters",           line("GET / HTTP/a.b"), {400}, ends, "RFC 9112 §2.3"},
    {"VersionInLowerCase",         line("GET / http/1.1"), {400}, ends, "RFC 9112 §2.3"},
    {"VersionMisspelt",            line("GET / HTPP/1.1"), {400}, ends, "RFC 9112 §2.3"},
    {"VersionOfRtsp",              line("GET / RTSP/1.0"), {400}, ends, "RFC 9112 §2.3"},
    {"VersionAndMethodOfRtsp",     line("DESCRIBE / RTSP/1.0"), {400}, ends, "RFC 9112 §2.3"},
    {"VersionOfIce",               line("SOURCE / ICE/1.0"), {400}, ends, "RFC 9112 §2.3"},

    // --- Host
    {"HostIsMissing",              "GET / HTTP/1.1\r\n\r\n", {400}, ends, "RFC 9112 §3.2"},
    {"HostMissesFromAbsoluteForm", "GET http://a/ HTTP/1.1\r\n\r\n", {400}, ends, "RFC 9112 §3.2"},
    {"HostTwice",                  get("Host: b\r\n"), {400}, ends, "RFC 9112 §3.2"},
    {"HostTwiceTheSame",           get("Host: a\r\n"), {400}, ends, "RFC 9112 §3.2"},
    {"HostTwiceInOneZero",         "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", {400}, ends, "RFC 9112 §3.2"},
    {"HostIsAList",                host(" a, b"), {400}, ends, "RFC 9112 §3.2"},
    {"HostWithAUser",              host(" me@a"), {400}, ends, "RFC 9112 §3.2"},
    {"HostWithAPath",              host(" a/b"), {400}, ends, "RFC 9112 §3.2"},
    {"HostIsAUrl",                 host(" http://a"), {400}, ends, "RFC 9112 §3.2"},
    {"HostWithABadPort",           host(" a:80x"), {400}, ends, "RFC 9112 §3.2"},
    {"HostWithTwoPorts",           host(" a:80:80"), {400}, ends, "RFC 9112 §3.2"},
    {"HostWithAnOpenBracket",      host(" [::1"), {400}, ends, "RFC 3986 §3.2.2"},
    {"HostWithEmptyBrackets",      host(" []"), {400}, ends, "RFC 3986 §3.2.2"},
    {"HostWithTextBehindBrackets", host(" [::1]a"), {400}, ends, "RFC 3986 §3.2.2"},
    {"HostWithANul",               host(" a\0b"s), {400}, ends, "RFC 9110 §5.5"},
    {"HostWithObsText",            host(" \xe5"), {400}, ends, "RFC 3986 §3.2.2"},

    // --- field lines
    {"SpaceBeforeTheColon",        get("X : y\r\n"), {400}, ends, "RFC 9112 §5.1"},
    {"TabBeforeTheColon",          get("X\t: y\r\n"), {400}, ends, "RFC 9112 §5.1"},
    {"SpaceInAName",               get("X Y: z\r\n"), {400}, ends, "RFC 9110 §5.1"},
    {"NoColon",                    get("X\r\n"), {400}, ends, "RFC 9112 §5"},
    {"NoName",                     get(": y\r\n"), {400}, ends, "RFC 9110 §5.1"},
    {"NulInAName",                 get("X\0: y\r\n"s), {400}, ends, "RFC 9110 §5.1"},
    {"ObsTextInAName",             get("X\xe5: y\r\n"), {400}, ends, "RFC 9110 §5.1"},
    {"ParenthesisInAName",         get("X(): y\r\n"), {400}, ends, "RFC 9110 §5.1"},
    {"NulInAValue",                get("X: a\0b\r\n"s), {400}, ends, "RFC 9110 §5.5"},
    {"ControlCharInAValue",        get("X: a\x01" "b\r\n"), {400}, ends, "RFC 9110 §5.5"},
    {"DeleteCharInAValue",         get("X: a\x7f" "b\r\n"), {400}, ends, "RFC 9110 §5.5"},
    {"FoldedLine",                 get("X: a\r\n b\r\n"), {400}, ends, "RFC 9112 §5.2"},
    {"FoldedLineWithTab",          get("X: a\r\n\tb\r\n"), {400}, ends, "RFC 9112 §5.2"},
    {"FoldedBeforeTheValue",       get("X:\r\n b\r\n"), {400}, ends, "RFC 9112 §5.2"},
    {"FoldedTransferEncoding",     post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"), {400}, ends, "RFC 9112 §5.2"},
    {"FoldedContentLength",        post("Content-Length: 1\r\n 0\r\n", "0123456789"), {400}, ends, "RFC 9112 §5.2"},
    {"SpaceBeforeTheFirstField",   "GET / HTTP/1.1\r\n Host: a\r\n\r\n", {400}, ends, "RFC 9112 §2.2"},
    {"SpaceBeforeContentLength",   "POST / HTTP/1.1\r\n Content-Length: 2\r\nHost: a\r\n\r\nab", {400}, ends, "RFC 9112 §2.2, CVE-2024-27982"},
    {"LineOfSpacesAfterTheFields", get(" \r\n"), {400}, ends, "RFC 9112 §5.2"},
    {"HeadTooLarge",               head_of(max_header_size + 1), {431}, ends, "RFC 6585 §5"},
    {"HeadFarTooLarge",            head_of(3 * max_header_size), {431}, ends, "RFC 6585 §5"},
    {"HeadOfTooManyFields",        get([] { std::string f; for (int i = 0; i < 400; ++i) f += "a:\r\n"; return f; }()), {431}, ends, "RFC 6585 §5"},
    {"HeadWithoutEnd",             "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(max_header_size, 'x'), {431}, ends, "RFC 6585 §5"},

    // --- line ends
    {"BareLfEverywhere",           "GET / HTTP/1.1\nHost: a\n\n", {400}, ends, "RFC 9112 §2.2"},
    {"BareLfAfterTheRequestLine",  "GET / HTTP/1.1\nHost: a\r\n\r\n", {400}, ends, "RFC 9112 §2.2"},
    {"BareLfAfterAField",          get("X: y\nZ: z\r\n"), {400}, ends, "RFC 9112 §2.2"},
    {"BareLfAtTheEndOfTheHead",    "GET / HTTP/1.1\r\nHost: a\r\n\n", {400}, ends, "RFC 9112 §2.2"},
    {"BareCrAfterTheRequestLine",  "GET / HTTP/1.1\rHost: a\r\n\r\n", {400}, ends, "RFC 9112 §2.2"},
    {"BareCrInAName",              get("X\r: y\r\n"), {400}, ends, "RFC 9112 §2.2"},
    {"BareCrInAValue",             get("X: a\rb\r\n"), {400}, ends, "RFC 9112 §2.2"},
    {"BareCrHidesAField",          post("X: y\rTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), {400}, ends, "RFC 9112 §2.2, CVE-2023-30589"},
    {"BareCrBeforeTheFirstField",  "GET / HTTP/1.1\r\n\rHost: a\r\n\r\n", {400}, ends, "RFC 9112 §2.2"},
    {"BareCrAtTheEndOfTheHead",    "GET / HTTP/1.1\r\nHost: a\r\n\rX", {400}, ends, "RFC 9112 §2.2, CVE-2025-23167"},
    {"TwoCrsBeforeTheLf",          "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", {400}, ends, "RFC 9112 §2.2"},

    // --- length: smuggling lives here
    {"LengthThenTransferEncoding", post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), {400}, ends, "RFC 9112 §6.1"},
    {"TransferEncodingThenLength", post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"), {400}, ends, "RFC 9112 §6.1"},
    {"LengthZeroAndChunked",       post("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), {400}, ends, "RFC 9112 §6.1"},
    {"LengthAndIdentity",          post("Content-Length: 5\r\nTransfer-Encoding: identity\r\n", "hello"), {400}, ends, "RFC 9112 §6.1"},
    {"LengthTwice",                post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello!"), {400}, ends, "RFC 9112 §6.3"},
    {"LengthTwiceTheSame",         post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), {400}, ends, "RFC 9112 §6.3"},
    {"LengthIsAList",              post("Content-Length: 5, 5\r\n", "hello"), {400}, ends, "RFC 9112 §6.3"},
    {"LengthIsAListThatDiffers",   post("Content-Length: 5,6\r\n", "hello!"), {400}, ends, "RFC 9112 §6.3"},
    {"LengthWithPlus",             post("Content-Length: +5\r\n", "hello"), {400}, ends, "RFC 9110 §8.6"},
    {"LengthWithMinus",            post("Content-Length: -5\r\n", "hello"), {400}, ends, "RFC 9110 §8.6"},
    {"LengthInHex",                post("Content-Length: 0x5\r\n", "hello"), {400}, ends, "RFC 9110 §8.6"},
    {"LengthWithAPoint",           post("Content-Length: 5.0\r\n", "hello"), {400}, ends, "RFC 9110 §8.6"},
    {"LengthWithASpaceInside",     post("Content-Length: 5 5\r\n", "hello"), {400}, ends, "RFC 9110 §8.6"},
    {"LengthOfLetters",            post("Content-Length: five\r\n", "hello"), {400}, ends, "RFC 9110 §8.6"},
    {"LengthIsEmpty",              post("Content-Length:\r\n"), {400}, ends, "RFC 9110 §8.6"},
    {"LengthWithAQuote",           post("Content-Length: \"5\"\r\n", "hello"), {400}, ends, "RFC 9110 §8.6"},
    {"LengthSpaceBeforeTheColon",  post("Content-Length : 5\r\n", "hello"), {400}, ends, "RFC 9112 §5.1"},
    {"LengthBeyondTheLimit",       post("Content-Length: 1001\r\n"), {413}, ends, "RFC 9110 §15.5.14"},
    {"LengthOf63Bits",             post("Content-Length: 9223372036854775807\r\n"), {413}, ends, "RFC 9110 §8.6"},
    {"LengthBeyond64Bits",         post("Content-Length: 18446744073709551617\r\n"), {413}, ends, "RFC 9110 §8.6"},

    {"CodingUnknown",              post("Transfer-Encoding: gzip\r\n"), {400}, ends, "RFC 9112 §6.3"},
    {"CodingIdentity",             post("Transfer-Encoding: identity\r\n"), {400}, ends, "RFC 9112 §6.3"},
    {"CodingEmpty",                post("Transfer-Encoding:\r\n"), {400}, ends, "RFC 9112 §6.3"},
    {"CodingUnknownThenChunked",   post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), {501}, ends, "RFC 9112 §6.1"},
    {"CodingsInTwoFields",         post("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), {501}, ends, "RFC 9112 §6.1"},
    {"CodingChunkedThenUnknown",   post("Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n"), {400}, ends, "RFC 9112 §6.3"},
    {"CodingChunkedThenIdentity",  post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"), {400}, ends, "RFC 9112 §6.3"},
    {"CodingChunkedTwice",         post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"), {400}, ends, "RFC 9112 §6.1"},
    {"CodingChunkedInTwoFields",   post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), {400}, ends, "RFC 9112 §6.1"},
    {"CodingPrefixed",             post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), {400}, ends, "RFC 9112 §7"},
    {"CodingSuffixed",             post("Transfer-Encoding: chunkedx\r\n", "0\r\n\r\n"), {400}, ends, "RFC 9112 §7"},
    {"CodingQuoted",               post("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"), {400}, ends, "RFC 9112 §7"},
    {"CodingWithAParameter",       post("Transfer-Encoding: chunked;a=b\r\n", "0\r\n\r\n"), {400}, ends, "RFC 9112 §7.1"},
    {"CodingWithAControlChar",     post("Transfer-Encoding: \x0b" "chunked\r\n", "0\r\n\r\n"), {400}, ends, "RFC 9110 §5.5"},
    {"CodingSpaceBeforeTheColon",  post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), {400}, ends, "RFC 9112 §5.1"},
    {"CodingInOneZero",            "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400}, ends, "RFC 9112 §6.1"},
    {"CodingInOneZeroKeepAlive",   "POST / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400}, ends, "RFC 9112 §6.1"},

    {"ChunkSizeIsEmpty",           chunked("\r\n\r\n"), {400}, ends, "RFC 9112 §7.1"},
    {"ChunkSizeWithPrefix",        chunked("0x5\r\nhello\r\n0\r\n\r\n"), {400}, ends, "RFC 9112 §7.1"},
    {"ChunkSizeWithPlus",          chunked("+5\r\nhello\r\n0\r\n\r\n"), {400}, ends, "RFC 9112 §7.1"},
    {"ChunkSizeWithMinus",         chunked("-5\r\nhello\r\n0\r\n\r\n"), {400}, ends, "RFC 9112 §7.1"},
    {"ChunkSizeNotHex",            chunked("g\r\nhello\r\n0\r\n\r\n"), {400}, ends, "RFC 9112 §7.1"},
    {"ChunkSizeWithUnderscore",    chunked("1_0\r\n0123456789abcdef\r\n0\r\n\r\n"), {400}, ends, "RFC 9112 §7.1"},
    {"ChunkSizeSpaceInFront",      chunked(" 5\r\nhello\r\n0\r\n\r\n"), {400}, ends, "RFC 9112 §7.1"},
    {"ChunkSizeSpaceBehind",       chunked("5 \r\nhello\r\n0\r\n\r\n"), {400}, ends, "RFC 9112 §7.1"},
    {"ChunkSizeBeyond64Bits",      chunked("10000000000000005\r\nhello\r\n0\r\n\r\n"), {413}, ends, "RFC 9112 §7.1"},
    {"ChunkSizeBareLf",            chunked("5\nhello\r\n0\r\n\r\n"), {400}, ends, "RFC 9112 §2.2"},
    {"ChunkSizeBareCr",            chunked("5\rhello\r\n0\r\n\r\n"), {400}, ends, "RFC 9112 §2.2"},
    {"ChunkDataLongerThanSaid",    chunked("4\r\nhello\r\n0\r\n\r\n"), {400}, ends, "RFC 9112 §7.1"},
    {"ChunkDataShorterThanSaid",   chunked("6\r\nhello\r\n0\r\n\r\n"), {400}, ends, "RFC 9112 §7.1"},
    {"ChunkDataBareLf",            chunked("5\r\nhello\n0\r\n\r\n"), {400}, ends, "RFC 9112 §2.2"},
    {"ChunkDataBareCr",            chunked("5\r\nhello\r0\r\n\r\n"), {400}, ends, "RFC 9112 §2.2"},
    {"ChunkExtensionBareLf",       chunked("5;a\nhello\r\n0\r\n\r\n"), {400}, ends, "RFC 9112 §7.1.1"},
    {"ChunkExtensionBareCr",       chunked("5;a\rb\r\nhello\r\n0\r\n\r\n"), {400}, ends, "RFC 9112 §7.1.1"},
    {"ChunkExtensionQuotedLineEnd",chunked("5;a=\"\r\n\"\r\nhello\r\n0\r\n\r\n"), {400}, ends, "RFC 9112 §7.1.1"},
    {"ChunkExtensionWithNul",      chunked("5;a\0\r\nhello\r\n0\r\n\r\n"s), {400}, ends, "RFC 9112 §7.1.1"},
    {"ChunkExtensionTooLong",      chunked("5;a=" + std::string(max_body_size, 'x') + "\r\nhello\r\n0\r\n\r\n"), {413}, ends, "RFC 9112 §7.1.1, CVE-2024-22019"},
    {"ChunksBeyondTheLimit",       chunked("3e9\r\n" + std::string(1001, 'x') + "\r\n0\r\n\r\n"), {413}, ends, "RFC 9110 §15.5.14"},
    {"LastChunkBareLf",            chunked("0\r\n\n"), {400}, ends, "RFC 9112 §2.2"},
    {"LastChunkBareCr",            chunked("0\r\n\rX"), {400}, ends, "RFC 9112 §2.2"},
    {"LastChunkWithData",          chunked("0\r\nhello\r\n\r\n"), {400}, ends, "RFC 9112 §7.1"},
    {"TrailerWithoutAColon",       chunked("0\r\nX\r\n\r\n"), {400}, ends, "RFC 9112 §7.1.2"},
    {"TrailerWithoutAName",        chunked("0\r\n: y\r\n\r\n"), {400}, ends, "RFC 9112 §5, §7.1.2"},
    {"SecondTrailerWithoutAName",  chunked("0\r\nX: y\r\n: z\r\n\r\n"), {400}, ends, "RFC 9112 §5, §7.1.2"},
    {"TrailerSpaceBeforeTheColon", chunked("0\r\nX : y\r\n\r\n"), {400}, ends, "RFC 9112 §5.1"},
    {"TrailerBareLf",              chunked("0\r\nX: y\n\r\n"), {400}, ends, "RFC 9112 §2.2"},
    {"TrailerFolded",              chunked("0\r\nX: y\r\n z\r\n\r\n"), {400}, ends, "RFC 9112 §5.2"},
    {"TrailersTooLong",            chunked("0\r\nX: " + std::string(max_body_size, 'y') + "\r\n\r\n"), {413}, ends, "RFC 9112 §7.1.2"},

    // --- the first is served, the second refused
    {"GoodThenBad",                get("") + get("Host: b\r\n"), {200, 400}, ends, "RFC 9112 §9.3.2"},
    {"BodyLongerThanSaid",         post("Content-Length: 4\r\n", "hello\r\n"), {200, 400}, ends, "RFC 9112 §6.3"},
};
// clang-format on

/// Where Node 20 answers otherwise, follow-up included, and why; of white space, lists,
/// expectations and the fields of proxies. (tests/interop asks it.) In other fields the two differ
/// by what each was made for: Node serves what it can, and leaves limits on bodies to its user.
struct node_difference {
    std::string name; ///< of the case
    std::vector<unsigned> answers;
    std::string why;
};

// clang-format off
inline const std::vector<node_difference> node_differences{
    {"CloseAndATab",               {200, 200}, "llhttp looks for a space or the end behind `close`"},
    {"CloseBetweenTabs",           {200, 200}, "the same"},
    {"OneZeroKeepsIfAskedWithATab",{400}, "the same: it does not read `keep-alive`, and so refuses what follows"},
    {"CloseOfAProxy",              {400}, "llhttp takes Proxy-Connection for Connection, and so refuses what follows"},
    {"ContentLengthTabBehind",     {400}, "llhttp takes only spaces behind a length"},
    {"ContentLengthTabsAround",    {400}, "the same"},
    {"ChunkedAndATab",             {400}, "llhttp looks for a space or the end behind `chunked`"},
    {"ChunkedBetweenTabs",         {400}, "the same"},
    {"ExpectNothing",              {417, 200}, "no expectation is one that it does not know"},
    {"ExpectSomethingElse",        {417, 200}, "it refuses as we do, but takes the next request"},
    {"ExpectTwoThings",            {200, 200}, "it looks for the word `100-continue` anywhere in the value"},
    {"ExpectTwoThingsInTwoFields", {200, 200}, "the same"},
    {"ExpectWithAParameter",       {200, 200}, "the same"},
};
// clang-format on

/// What calls on the wrong port, and requests gone wrong. As far as `possible` it may still become
/// a request; the first byte of `rest` shows that it does not, and is answered 400 at once: many of
/// these clients say no more until they hear something (RFC 9112 §3).
struct opening {
    std::string name;
    std::string possible;
    std::string rest;
};

// clang-format off
inline const std::vector<opening> openings{
    {"Socks4",                   "", "\x04\x01\x00\x50"s},
    {"Socks5",                   "", "\x05\x01\x00"s},
    {"TlsHello",                 "", "\x16\x03\x01\x02\x00"s},
    {"PostgreSqlAsksForTls",     "", "\x00\x00\x00\x08\x04\xd2\x16\x2f"s},
    {"Mqtt",                     "", "\x10\x0c\x00\x04MQTT"s},
    {"MsSql",                    "", "\x12\x01\x00\x2f"s},
    {"BitTorrent",               "", "\x13" "BitTorrent protocol"},
    {"RemoteDesktop",            "", "\x03\x00\x00\x13"s},
    {"Telnet",                   "", "\xff\xfd\x03"},
    {"MongoDb",                  "", "\x3a\x00\x00\x00"s},
    {"Xmpp",                     "", "<?xml version='1.0'?>"},
    {"JsonRpc",                  "", "{\"jsonrpc\":\"2.0\"}"},
    {"Utf8",                     "", "\xef\xbb\xbfGET / HTTP/1.1"},
    {"X11",                      "l", "\x00\x0b\x00"s},
    {"Ldap",                     "0", "\x0c\x02\x01"},
    {"Amqp",                     "AMQP", "\x00\x00\x09\x01"s},
    {"JavaRmi",                  "JRMI", "\x00\x02K"s},
    {"Redis",                    "*1", "\r\n$4\r\nPING\r\n"},
    {"RedisInline",              "PING", "\r\n"},
    {"Ssh",                      "SSH-2.0-OpenSSH_9.2", "\r\n"},
    {"Memcached",                "get key", "\r\n"},
    {"Smtp",                     "EHLO a.example", "\r\n"},
    {"Vnc",                      "RFB 003.008", "\n"},
    {"Git",                      "0032git-upload-pack /project.git", "\x00host=a\x00"s},
    {"ProxyProtocol1",           "PROXY TCP4 ", "127.0.0.1 127.0.0.2 1 80\r\n"},
    {"ProxyProtocol2",           "\r\n\r\n", "\x00\r\nQUIT\n"s},
    {"AnswerInsteadOfARequest",  "HTTP", "/1.1 200 OK\r\n"},
    {"SpaceFirst",               "", " GET / HTTP/1.1\r\n"},
    {"MethodIsNoToken",          "GET", "(/ HTTP/1.1\r\n"},
    {"MethodAndATab",            "GET", "\t/ HTTP/1.1\r\n"},
    {"UnknownMethodAndATab",     "BREW", "\t/ HTTP/1.1\r\n"},
    {"TwoSpaces",                "GET ", " / HTTP/1.1\r\n"},
    {"UnknownMethodTwoSpaces",   "BREW ", " / HTTP/1.1\r\n"},
    {"NoTarget",                 "GET ", "\r\n"},
    {"ControlCharInTheTarget",   "GET /a", "\x01 HTTP/1.1\r\n"},
    {"UnknownMethodNul",         "BREW /a", "\x00 HTTP/1.1\r\n"s},
    {"UnknownMethodObsText",     "BREW /a", "\xe5 HTTP/1.1\r\n"},
    {"Fragment",                 "GET /a", "#b HTTP/1.1\r\n"},
    {"NoVersion",                "GET /a", "\r\n"},
    {"UnknownMethodNoVersion",   "BREW /a", "\r\n"},
    {"TwoSpacesBeforeVersion",   "GET /a ", " HTTP/1.1\r\n"},
    {"SpaceInTheTarget",         "GET /a ", "b HTTP/1.1\r\n"},
    {"VersionInLowerCase",       "BREW /a ", "http/1.1\r\n"},
    {"VersionMisspelt",          "BREW /a HT", "PP/1.1\r\n"},
    {"VersionOfTwoDigits",       "BREW /a HTTP/1.1", "0\r\n"},
    {"SpaceBehindTheVersion",    "BREW /a HTTP/1.1", " \r\n"},
    {"LineEndsWithLf",           "BREW /a HTTP/1.1", "\n"},
    {"LineEndsWithCr",           "BREW /a HTTP/1.1\r", "Host: a\r"},
};
// clang-format on

inline const std::string follow_up = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";

/// Long ones of nothing but filler are not worth cutting everywhere.
inline bool is_worth_cutting_at(const http_case& one, std::size_t at)
{
    const std::string all_bytes = one.bytes + follow_up;
    return all_bytes[at] != 'x' || all_bytes[at - 1] != 'x' || at % 64 == 0;
}

} // namespace http_cases
