// Lines that a peer may write, each without a descriptor, and what the channel makes of it. The
// tests of the channel feed them one by one; the fuzzer begins with them, descriptors added.
#pragma once

#include <algorithm>
#include <iterator>
#include <ostream>
#include <string>
#include <vector>

namespace channel_cases {

enum channel_outcome {
    delivered, ///< to receive(), as it is
    answered,  ///< not delivered, and an answer comes
    ignored,   ///< not the user's business, and no answer
    refused,   ///< answered with a NACK
    broken,    ///< the end of the channel
};

struct channel_case {
    std::string name;
    std::string line; ///< without its newline
    channel_outcome then;
};

inline std::ostream& operator<<(std::ostream& out, const channel_case& one)
{
    return out << one.name;
}

// clang-format off
inline const std::vector<channel_case> all{
    {"text",                     R"("text")",                                                          delivered},
    {"characters",               R"("ß€😀\n\u0000")",                                                  delivered},
    {"number",                   "1e+21",                                                              delivered},
    {"null",                     "null",                                                               delivered},
    {"object",                   R"({"a":[1,2,{"b":null}]})",                                          delivered},
    {"not_utf8",                 "\"\xff\xfe\"",                                                       delivered},
    {"half_a_surrogate_pair",    R"("\ud800")",                                                        delivered},
    {"half_in_a_key",            R"({"\udc00":1})",                                                    delivered},
    {"cmd_of_no_more_than_NODE", R"({"cmd":"NODE_"})",                                                 delivered},
    {"cmd_in_small_letters",     R"({"cmd":"node_foo"})",                                              delivered},
    {"cmd_that_is_a_number",     R"({"cmd":7})",                                                       delivered},
    {"text_like_a_cmd",          R"("NODE_foo")",                                                      delivered},
    {"cmd_further_in",           R"({"x":{"cmd":"NODE_foo"}})",                                        delivered},

    {"unknown_internal",         R"({"cmd":"NODE_foo"})",                                              ignored},
    {"unknown_with_half_a_pair", R"({"cmd":"NODE_foo","x":"\ud83d"})",                                 ignored},
    {"debug_enabled",            R"({"cmd":"NODE_DEBUG_ENABLED"})",                                    ignored},
    {"cluster",                  R"({"cmd":"NODE_CLUSTER","act":"online","seq":0})",                   ignored},
    {"surplus_ack",              R"({"cmd":"NODE_HANDLE_ACK"})",                                       ignored},
    {"surplus_nack",             R"({"cmd":"NODE_HANDLE_NACK"})",                                      ignored},
    {"count_of_a_strange_key",   R"({"cmd":"NODE_SOCKET_GET_COUNT","key":"k"})",                       answered},
    {"count_of_no_key",          R"({"cmd":"NODE_SOCKET_GET_COUNT"})",                                 ignored},
    {"count_that_nobody_asked",  R"({"cmd":"NODE_SOCKET_COUNT","key":"k","count":1})",                 ignored},
    {"count_that_is_none",       R"({"cmd":"NODE_SOCKET_COUNT","key":"k","count":"many"})",            ignored},
    {"all_closed_unasked",       R"({"cmd":"NODE_SOCKET_ALL_CLOSED","key":"k"})",                      ignored},
    {"close_of_a_strange_key",   R"({"cmd":"NODE_SOCKET_NOTIFY_CLOSE","key":"k"})",                    answered},

    {"connection",               R"({"cmd":"NODE_HANDLE","type":"net.Socket","msg":"m","key":"k"})",   refused},
    {"server",                   R"({"cmd":"NODE_HANDLE","type":"net.Server","msg":1})",               refused},
    {"connection_and_half_a_pair", R"({"cmd":"NODE_HANDLE","type":"net.Socket","msg":"\ud83d"})",      refused},
    {"bare_handle",              R"({"cmd":"NODE_HANDLE","type":"net.Native"})",                       refused},
    {"handle_of_no_type",        R"({"cmd":"NODE_HANDLE"})",                                           refused},
    {"handle_of_a_strange_type", R"({"cmd":"NODE_HANDLE","type":7,"msg":{"cmd":"NODE_foo"}})",         refused},
    {"retransmission",           R"({"cmd":"NODE_HANDLE","type":"net.Native","msg":{"cmd":"NODE_HANDLE","type":"net.Socket","msg":1}})", refused},
    {"wrapped_in_itself",        R"({"cmd":"NODE_HANDLE","type":"dgram.Socket","msg":{"cmd":"NODE_HANDLE"}})", refused},

    {"not_json",                 "not json",                                                           broken},
    {"empty",                    "",                                                                   broken},
    {"object_without_end",       R"({"a":1)",                                                          broken},
    {"two_values",               "1 2",                                                                broken},
    {"undefined",                "undefined",                                                          broken},
    {"escape_sequence",          "\x1b[31mred",                                                        broken},
    {"envelope_without_end",     R"({"cmd":"NODE_HANDLE")",                                            broken},
    {"nul_behind_the_value",     std::string("1\0", 2),                                                broken},
    {"beyond_a_double",          "1e400",                                                              broken},
};
// clang-format on

inline std::vector<channel_case> all_that_are(channel_outcome then)
{
    std::vector<channel_case> result;
    std::copy_if(all.begin(), all.end(), std::back_inserter(result),
                 [then](const channel_case& one) { return one.then == then; });
    return result;
}

} // namespace channel_cases
