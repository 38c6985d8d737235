// What a line says, and the lines that say it: without a socket.
#include "channel_cases.hpp"

#include "ipc/error.hpp"
#include "ipc/wire_format.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <string>

namespace {

using nlohmann::json;
using std::string;
namespace wire = ipc::wire;

class EachCase : public testing::TestWithParam<channel_cases::channel_case> {};

TEST_P(EachCase, IsWhatTheTableSays)
{
    const auto& one = GetParam();
    if (one.then == channel_cases::broken) {
        EXPECT_THROW((void)wire::decode(one.line), ipc::protocol_error);
        return;
    }
    const auto line = wire::decode(one.line);
    EXPECT_EQ(std::holds_alternative<wire::user_message>(line),
              one.then == channel_cases::delivered);
    EXPECT_EQ(std::holds_alternative<wire::envelope>(line), one.then == channel_cases::refused);
    EXPECT_EQ(std::holds_alternative<wire::count>(line) ||
                  std::holds_alternative<wire::notify>(line),
              one.then == channel_cases::answered);
}

INSTANTIATE_TEST_SUITE_P(WireFormat, EachCase, testing::ValuesIn(channel_cases::all),
                         [](const auto& test) { return test.param.name; });

wire::envelope envelope(const string& line)
{
    return std::get<wire::envelope>(wire::decode(line));
}

TEST(WireFormat, TakesAnEnvelopeApart)
{
    const auto one = envelope(
        R"({"cmd":"NODE_HANDLE","type":"net.Socket","msg":{"b":1.0,"a":[]},"key":"4:127.0.0.1:8888"})");
    EXPECT_EQ(one.type, "net.Socket");
    EXPECT_EQ(one.body.dump(), R"({"b":1.0,"a":[]})");
    EXPECT_EQ(one.key, "4:127.0.0.1:8888");
    EXPECT_FALSE(one.is_internal);

    const auto bare = envelope(R"({"type":7,"cmd":"NODE_HANDLE"})");
    EXPECT_EQ(bare.type, "");
    EXPECT_EQ(bare.body.dump(), "null");
    EXPECT_EQ(bare.key, "");

    EXPECT_TRUE(envelope(R"({"cmd":"NODE_HANDLE","msg":{"cmd":"NODE_CLUSTER"}})").is_internal);
    EXPECT_FALSE(envelope(R"({"cmd":"NODE_HANDLE","msg":{"cmd":"NODE_"}})").is_internal);
}

TEST(WireFormat, UnwrapsWhatWasSentAgainUpToALimit)
{
    string line = R"({"cmd":"NODE_HANDLE","type":"net.Socket","msg":"m","key":"k"})";
    for (int i = 0; i < wire::max_wrappings; ++i) {
        line = R"({"cmd":"NODE_HANDLE","type":"net.Native","msg":)" + line + "}";
        const auto inner = envelope(line);
        EXPECT_EQ(inner.type + inner.body.dump() + inner.key, "net.Socket\"m\"k");
    }
    EXPECT_THROW(envelope(R"({"cmd":"NODE_HANDLE","type":"net.Native","msg":)" + line + "}"),
                 ipc::protocol_error);
}

TEST(WireFormat, ReadsTheKeysOfQuestionsAndNoEndlessOnes)
{
    const auto asked = [](const string& key) {
        return wire::decode(R"({"cmd":"NODE_SOCKET_GET_COUNT","key":)" + json(key).dump() + "}");
    };
    for (const string key : {"4:127.0.0.1:8888", "6::::21403", "-1:/a \"path\"\\:-1"})
        EXPECT_EQ(std::get<wire::count>(asked(key)).key, key);
    EXPECT_EQ(std::get<wire::count>(asked(string(wire::max_key - 2, 'k'))).key.size(), 510U);
    EXPECT_TRUE(
        std::holds_alternative<wire::internal_message>(asked(string(wire::max_key - 1, 'k'))));
    EXPECT_EQ(
        envelope(R"({"cmd":"NODE_HANDLE","type":"net.Socket","key":")" + string(600, 'k') + "\"}")
            .key,
        "");
    EXPECT_EQ(
        std::get<wire::notify>(wire::decode(R"({"cmd":"NODE_SOCKET_NOTIFY_CLOSE","key":"k"})")).key,
        "k");
}

TEST(WireFormat, ReadsWhatThePeerSaysOfTheSocketsItHasGot)
{
    const auto count = [](const string& text) {
        return std::get<wire::counted>(
                   wire::decode(R"({"cmd":"NODE_SOCKET_COUNT","key":"k","count":)" + text + "}"))
            .open;
    };
    EXPECT_EQ(count("0"), 0U);
    EXPECT_EQ(count("12"), 12U);
    for (const string none : {"-1", "1.0", "1e2", "\"1\"", "true", "null", "18446744073709551616"})
        EXPECT_EQ(count(none), std::nullopt) << none;
    EXPECT_EQ(
        std::get<wire::counted>(wire::decode(R"({"cmd":"NODE_SOCKET_COUNT","key":"k"})")).open,
        std::nullopt);
    EXPECT_EQ(
        std::get<wire::all_closed>(wire::decode(R"({"cmd":"NODE_SOCKET_ALL_CLOSED","key":"k"})"))
            .key,
        "k");
    EXPECT_TRUE(std::holds_alternative<wire::internal_message>(
        wire::decode(R"({"cmd":"NODE_SOCKET_COUNT","key":"","count":1})")));
}

TEST(WireFormat, WritesTheKeyOfASocketAndTheQuestionsAboutIt)
{
    EXPECT_EQ(wire::encode("m", "net.Socket", "a \"key\""),
              R"({"cmd":"NODE_HANDLE","type":"net.Socket","msg":"m","key":"a \"key\""})"
              "\n");
    EXPECT_EQ(wire::encode("m", "net.Socket"), wire::encode("m", "net.Socket", ""));
    EXPECT_EQ(wire::encode_get_count("k"), "{\"cmd\":\"NODE_SOCKET_GET_COUNT\",\"key\":\"k\"}\n");
    EXPECT_EQ(wire::encode_notify_close("k"),
              "{\"cmd\":\"NODE_SOCKET_NOTIFY_CLOSE\",\"key\":\"k\"}\n");
    for (const auto& key : {string("\xff"), string(wire::max_key - 1, 'k')}) {
        EXPECT_THROW(wire::encode("m", "net.Socket", key), std::invalid_argument);
        EXPECT_THROW(wire::encode_get_count(key), std::invalid_argument);
    }
}

TEST(WireFormat, KnowsTheProtocolsOwnHoweverTheyAreSpelled)
{
    const auto is = [](const string& line, auto kind) {
        return std::holds_alternative<decltype(kind)>(wire::decode(line));
    };
    EXPECT_TRUE(is(R"({"cmd":"\u004eODE_HANDLE_ACK"})", wire::acknowledgement{}));
    EXPECT_TRUE(is(R"({ "x" : 1, "cmd" : "NODE_HANDLE_NACK" })", wire::refusal{}));
    EXPECT_TRUE(is(R"({"cmd":"NODE_HANDLE_ACKS"})", wire::internal_message{"x"}));
    EXPECT_TRUE(
        is(R"({"cmd":"NODE_HANDLE_ACK","cmd":"mine"})", wire::user_message{ipc::value("")}));
    EXPECT_TRUE(is(R"({"cmd":["NODE_HANDLE_ACK"]})", wire::user_message{ipc::value("")}));
}

TEST(WireFormat, NamesBunWhoseInternalMessagesHaveAMark)
{
    try {
        wire::decode("\2{\"cmd\":\"NODE_CLUSTER\",\"act\":\"online\",\"seq\":0}");
        ADD_FAILURE();
    } catch (const ipc::protocol_error& error) {
        EXPECT_NE(string(error.what()).find("Bun"), string::npos) << error.what();
    }
}

TEST(WireFormat, WritesWhatNodeReads)
{
    EXPECT_EQ(wire::encode("a\nb é"), "\"a\\nb é\"\n");
    EXPECT_EQ(wire::encode(json{{"n", 1}}, "net.Server"),
              "{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Server\",\"msg\":{\"n\":1}}\n");
    const nlohmann::ordered_json ordered{{"z", 1}, {"a", 2}};
    EXPECT_EQ(wire::encode(ordered), "{\"z\":1,\"a\":2}\n") << "in the order of its keys";
    EXPECT_EQ(wire::encode_count("k\"", 2),
              "{\"cmd\":\"NODE_SOCKET_COUNT\",\"count\":2,\"key\":\"k\\\"\"}\n");
    EXPECT_EQ(wire::encode_all_closed("k"), "{\"cmd\":\"NODE_SOCKET_ALL_CLOSED\",\"key\":\"k\"}\n");
}

TEST(WireFormat, RefusesToWriteWhatWouldBeMistaken)
{
    EXPECT_THROW(wire::encode(json{{"cmd", "NODE_x"}}), std::invalid_argument);
    EXPECT_THROW(wire::encode(json{{"cmd", "NODE_x"}}, "net.Socket"), std::invalid_argument);
    EXPECT_NO_THROW(wire::encode(json{{"cmd", "NODE_"}}));
    EXPECT_NO_THROW(wire::encode(json{{"x", {{"cmd", "NODE_x"}}}}));
    EXPECT_THROW(wire::encode("\xff"), std::invalid_argument);
}

TEST(WireFormat, PassesOnWhatItHasReadToTheLastDigit)
{
    const string text = R"({"z":1.0,"a":[12345678901234567890,"€"]})";
    const auto read = std::get<wire::user_message>(wire::decode(text)).body;
    EXPECT_EQ(wire::encode(read), text + "\n");
    EXPECT_EQ(read.json()["a"][1], "€");
    EXPECT_EQ(wire::encode(read), text + "\n") << "also after somebody has looked into it";
}

} // namespace
