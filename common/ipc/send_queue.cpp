#include "ipc/send_queue.hpp"

#include "ipc/error.hpp"
#include "observer.hpp"

#include <utility>

namespace ipc {

namespace {

// Node gives a connection three more chances (internal/child_process, MAX_HANDLE_RETRANSMISSIONS).
constexpr int max_retransmissions = 3;

// Answers that the peer has asked for and does not read. A correct peer leaves one or two.
constexpr std::size_t max_unread_answers = 4096;

} // namespace

std::shared_ptr<transfer> send_queue::push(std::string line)
{
    auto outgoing = std::make_shared<transfer>();
    outgoing->line = std::move(line);
    return push(std::move(outgoing));
}

std::shared_ptr<transfer> send_queue::push(std::string line, handle object, bool stays)
{
    auto outgoing = std::make_shared<transfer>();
    outgoing->line = std::move(line);
    outgoing->object = std::move(object);
    outgoing->has_handle = true;
    outgoing->stays = stays;
    return push(std::move(outgoing));
}

std::shared_ptr<transfer> send_queue::push(transfer_ptr outgoing)
{
    bytes_ += outgoing->line.size();
    ++unsettled_;
    waiting_.push_back(outgoing);
    advance();
    return outgoing;
}

bool send_queue::push_answer(std::string line, bool urgent)
{
    if (unread_answers_ == max_unread_answers || !has_room_for(line.size()))
        return false;
    bytes_ += line.size();
    ++unread_answers_;
    if (urgent && !to_write_.empty() && to_write_.back()->answers > 0 &&
        to_write_.back()->written == 0) {
        to_write_.back()->line += line;
        ++to_write_.back()->answers;
        return true;
    }
    auto answer = std::make_shared<transfer>();
    answer->line = std::move(line);
    answer->answers = 1;
    (urgent ? to_write_ : waiting_).push_back(std::move(answer));
    advance();
    return true;
}

std::shared_ptr<const transfer> send_queue::wrote(std::size_t bytes)
{
    auto written = to_write_.front();
    written->written += bytes;
    if (written->written < written->line.size())
        return written;
    to_write_.pop_front();
    unread_answers_ -= written->answers;
    if (!written->has_handle)
        settle(*written, nullptr);
    return written;
}

// Moves what may be written now behind what is being written.
void send_queue::advance()
{
    while (!waiting_.empty()) {
        if (in_doubt_.size() >= window_)
            return;
        to_write_.push_back(std::move(waiting_.front()));
        waiting_.pop_front();
        if (to_write_.back()->has_handle)
            in_doubt_.push_back(to_write_.back());
    }
}

send_queue::verdict send_queue::judge_answer() const
{
    if (in_doubt_.empty())
        return verdict::unexpected;
    return in_doubt_.front()->rest().empty() ? verdict::fits : verdict::too_early;
}

send_queue::verdict send_queue::acknowledge()
{
    const auto judged = judge_answer();
    if (judged != verdict::fits)
        return judged;
    const auto arrived = std::move(in_doubt_.front());
    in_doubt_.pop_front();
    if (arrived->object.is_connection() && !arrived->stays) {
        if (observing)
            observing->closing_copy(arrived->object.native_handle());
        arrived->object.close(); // the peer's copy is the only one now
    }
    settle(*arrived, nullptr);
    advance();
    return judged;
}

send_queue::verdict send_queue::refuse()
{
    const auto judged = judge_answer();
    if (judged != verdict::fits)
        return judged;
    auto refused = std::move(in_doubt_.front());
    in_doubt_.pop_front();
    // Node retransmits connections only. We repeat servers as well: it costs nothing, and the
    // alternative is a worker without its server. Not wrapped as Node does, which a Node child
    // would acknowledge twice.
    if (refused->refusals++ < max_retransmissions) {
        refused->written = 0;
        in_doubt_.push_back(refused);
        to_write_.push_back(std::move(refused));
    } else {
        settle(*refused, std::make_exception_ptr(handle_not_received()));
        advance();
    }
    return judged;
}

bool send_queue::holds(const std::string& key) const
{
    for (const auto* queue : {&waiting_, &to_write_, &in_doubt_})
        for (const auto& outgoing : *queue)
            if (outgoing->object && outgoing->object.key() == key)
                return true;
    return false;
}

void send_queue::close() noexcept
{
    // Of one that was refused, nothing is written either.
    for (auto* queue : {&waiting_, &to_write_, &in_doubt_}) {
        for (const auto& outgoing : *queue)
            settle(*outgoing, outgoing->written == 0 ? closed_unwritten_ : closed_in_doubt_);
        queue->clear();
    }
}

void send_queue::settle(transfer& outgoing, std::exception_ptr error)
{
    if (std::exchange(outgoing.is_settled, true))
        return;
    bytes_ -= outgoing.line.size();
    unsettled_ -= outgoing.answers == 0;
    outgoing.error = std::move(error);
    if (outgoing.settled)
        outgoing.settled->notify();
}

} // namespace ipc
