// What is seen on a terminal and nowhere else: a colour for each worker, a width.
#include "support/programs.hpp"
#include "support/pseudo_terminal.hpp"
#include "support/tcp.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <regex>
#include <unistd.h>

using namespace support;
using std::string;
using std::vector;

namespace {

start_options on(const pseudo_terminal& terminal, vector<string> environment)
{
    start_options options;
    options.environment = std::move(environment);
    for (const string name : {"TERM=xterm", "NO_COLOR=", "COLORTERM=", "COLUMNS="})
        options.environment.push_back(name); // of the same name the first counts
    options.before_exec = [fd = terminal.slave()] {
        ::dup2(fd, 1);
        ::dup2(fd, 2);
    };
    return options;
}

const vector<string> truecolor{"COLORTERM=truecolor"};

/// The colours of the notes' pictures, as a terminal takes them: "\033[38;2;47;126;216m".
vector<string> colours_of_the_pictures()
{
    std::ifstream file(fixture("bench/chart.js"));
    string line;
    while (std::getline(file, line) && !line.starts_with("const shades"))
        ;
    vector<string> result;
    const std::regex colour("#(..)(..)(..)");
    for (std::sregex_iterator one(line.begin(), line.end(), colour), end; one != end; ++one) {
        result.push_back("\033[38;2");
        for (std::size_t i = 1; i <= 3; ++i)
            result.back() += ';' + std::to_string(std::stoi(one->str(i), nullptr, 16));
        result.back() += 'm';
    }
    return result;
}

string without_colours(const string& text)
{
    return std::regex_replace(text, std::regex("\033\\[[0-9;]*m"), "");
}

vector<string> demo_command(const string& name, vector<string> more = {})
{
    more.insert(more.begin(), {demo(name), "--port", "0", "--delay", "0"});
    return more;
}

/// "http server2 子进程：77" with the colour before it.
string coloured(const string& colour, const string& text)
{
    return colour + text + "\033[0m";
}

TEST(OnATerminal, WorkersHaveTheColoursOfThePicturesInTheReadyLineAndTheTally)
{
    const auto colours = colours_of_the_pictures();
    ASSERT_EQ(colours.size(), 8u);
    pseudo_terminal terminal;
    process main(demo_command("socket_fanout"), on(terminal, truecolor));
    const auto ready = terminal.line_with("listening on ");
    const auto known = parse_ready_line(without_colours(ready));
    string pids;
    for (std::size_t i = 0; i < 4; ++i)
        pids += ' ' + coloured(colours[i], std::to_string(known.workers.at(i)));
    EXPECT_NE(ready.find(", workers" + pids + "; try: "), string::npos) << ready;

    for (int i = 0; i < 4; ++i)
        ask(known.port);
    main.signal(SIGTERM);
    EXPECT_EQ(main.wait_exit(), exited(0));
    const auto all = terminal.text();
    for (std::size_t i = 0; i < 4; ++i) {
        const auto row =
            std::to_string(known.workers.at(i)) + "       1  25.0 %  " + string(40, '#');
        EXPECT_NE(all.find(coloured(colours[i], row)), string::npos) << row << "\n" << all;
    }
}

TEST(OnATerminal, AReplacementHasTheColourOfItsPlace)
{
    const auto colours = colours_of_the_pictures();
    pseudo_terminal terminal;
    process main(demo_command("server_handoff", {"--respawn"}), on(terminal, truecolor));
    const auto known = parse_ready_line(without_colours(terminal.line_with("listening on ")));
    ::kill(known.workers.at(2), SIGKILL);
    const auto all = terminal.read_until("takes its place");
    const auto dead = coloured(colours[2], "worker " + std::to_string(known.workers[2]));
    EXPECT_NE(all.find(dead + " was killed by SIGKILL"), string::npos) << all;
    EXPECT_NE(all.rfind("\033[0m takes its place"), string::npos) << all;
    EXPECT_EQ(all.rfind(colours[2] + "worker "), all.rfind("\033[38")) << all;
    main.signal(SIGTERM);
    EXPECT_EQ(main.wait_exit(), exited(0));
}

/// Answers that a client gets, and the terminal it prints them on.
class ClientOnATerminal : public testing::Test {
protected:
    string printed(const string& name, const vector<string>& answers, vector<string> environment,
                   vector<string> arguments = {})
    {
        listener server;
        arguments.insert(arguments.begin(), {client(name), "--port", std::to_string(server.port()),
                                             "-c", "1", "-n", std::to_string(answers.size())});
        process program(arguments, on(terminal_, std::move(environment)));
        for (const auto& answer : answers) {
            auto connection = server.accept();
            if (name == "http_client") {
                connection.read_until("\r\n\r\n");
                connection.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " +
                                std::to_string(answer.size()) + "\r\n\r\n");
            }
            connection.send(answer);
        }
        EXPECT_EQ(program.wait_exit(), exited(0));
        return terminal_.text();
    }
    pseudo_terminal terminal_;
    const vector<string> colours_ = colours_of_the_pictures();
};

TEST_F(ClientOnATerminal, AnAnswerThatNamesItsSlotHasThatColour)
{
    const vector<string> answers{"http socket2 子进程：70", "http server0 子进程：80",
                                 "http socket9 子进程：90", "http socket2 子进程：70"};
    EXPECT_EQ(printed("net_client", answers, truecolor),
              coloured(colours_[2], answers[0]) + '\n' + coloured(colours_[0], answers[1]) + '\n' +
                  coloured(colours_[1], answers[2]) + '\n' + coloured(colours_[2], answers[3]) +
                  '\n');
}

TEST_F(ClientOnATerminal, OthersHaveAColourForEachPid)
{
    const vector<string> answers{"Request handled by worker-70", "Request handled by worker-80",
                                 "Request handled by worker-70"};
    EXPECT_EQ(printed("http_client", answers, truecolor),
              coloured(colours_[0], answers[0]) + "\nend\n" + coloured(colours_[1], answers[1]) +
                  "\nend\n" + coloured(colours_[0], answers[2]) + "\nend\n");
}

TEST_F(ClientOnATerminal, TheTallyIsInTheOrderOfThePidsAndSoAreItsColours)
{
    const auto text =
        printed("http_client",
                {"Request handled by worker-10001", "Request handled by worker-9998",
                 "Request handled by worker-10001", "Request handled by worker-10001"},
                truecolor, {"--tally"});
    EXPECT_EQ(text, coloured(colours_[0], "9998        1  25.0 %  " + string(13, '#')) + '\n' +
                        coloured(colours_[1], "10001       3  75.0 %  " + string(40, '#')) + '\n');
}

TEST_F(ClientOnATerminal, ATerminalWithFewerColoursGetsThose)
{
    const string answer = "http socket1 子进程：7";
    EXPECT_EQ(printed("net_client", {answer}, {"TERM=xterm-256color"}),
              coloured("\033[38;5;172m", answer) + '\n');
    EXPECT_EQ(printed("net_client", {answer}, {"TERM=linux"}),
              coloured("\033[38;5;172m", answer) + '\n' + coloured("\033[33m", answer) + '\n');
}

TEST_F(ClientOnATerminal, NoColorDumbTerminalsAndPipesGetTheTextAlone)
{
    const string answer = "http socket1 子进程：7";
    string wanted;
    for (const string no : {"NO_COLOR=1", "TERM=dumb", "TERM="}) {
        wanted += answer + '\n';
        EXPECT_EQ(printed("net_client", {answer}, {no, truecolor[0]}), wanted) << no;
    }

    running_demo main({demo("socket_fanout"), "--port", "0"},
                      {.environment = {"TERM=xterm-256color", truecolor[0]}});
    const auto asked = run({client("net_client"), "--port", std::to_string(main.port)},
                           {.environment = {"TERM=xterm-256color", truecolor[0]}});
    EXPECT_EQ(main.stop(), exited(0));
    for (const auto& text : {main.out(), main.err(), asked.out, asked.err})
        EXPECT_EQ(text.find('\033'), string::npos) << text;
}

TEST(OnATerminal, TheTallyFitsItsWidth)
{
    for (const std::uint16_t width : vector<std::uint16_t>{30, 40, 64, 200}) {
        pseudo_terminal terminal(width);
        process main(demo_command("socket_fanout", {"--workers", "2"}), on(terminal, {}));
        const auto known = parse_ready_line(without_colours(terminal.line_with("listening on ")));
        for (int i = 0; i < 4; ++i)
            ask(known.port);
        main.signal(SIGTERM);
        EXPECT_EQ(main.wait_exit(), exited(0));
        std::size_t rows = 0;
        std::size_t longest = 0;
        for (const auto& line : lines(without_colours(terminal.text())))
            if (line.find('%') != string::npos) {
                ++rows;
                longest = std::max(longest, line.size());
            }
        EXPECT_EQ(rows, 2u);
        const auto name = std::to_string(known.workers[0]).size();
        EXPECT_LE(longest, width);
        if (width >= 40) {
            EXPECT_EQ(longest, std::min<std::size_t>(width, name + 18 + 40)) << "as wide as it may";
        }
    }
}

} // namespace
