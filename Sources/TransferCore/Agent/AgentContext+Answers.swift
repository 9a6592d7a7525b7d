import TransferCommon

// Waiting for answers of gateways (specification §5.4).

extension AgentContext {
    /// Notes which answer a gateway owes to an upload or a proof, on which connections it may come, and reports a long
    /// wait for it. The agent reports one wait at a time, for all uploads together.
    mutating func note(
        _ request: AwaitedAnswer.Request?, on connections: @autoclosure () -> Set<ConnectionID>, of id: UploadID,
        in answer: inout AwaitedAnswer
    ) {
        let before = answer.state
        answer.awaits(request, progressAt: progressAt, now: now)
        if answer.state != before, toldOfWait == id { toldOfWait = nil }
        guard let moment = answer.tellsAt(limits.answerToldAfter), moment <= now, toldOfWait == nil,
            self.connections.isHeard(connections(), now: now)
        else { return }
        answer.told()
        toldOfWait = id
        actions.append(.report(id, .waitingForAnswer))
    }

    /// Notes what a gateway owes to an upload.
    mutating func noteAnswer(owedTo exchange: inout SessionExchange, _ parts: UploadParts) {
        let links = exchange.lifecycle.links
        note(
            AwaitedAnswer.Request(of: exchange.phase, parts), on: links.connections, of: exchange.id,
            in: &exchange.waits.answer)
    }

    /// Until when the agent waits for a gateway that answers PING and owes an answer: `answerFor` after the answer
    /// became due, and at most `answerFor` after the run would otherwise have ended. Each new connection makes the
    /// answer due anew, so without the second bound the wait might never end.
    func endOfPatience(dueSince: Instant) -> Instant {
        min(dueSince, progressAt + limits.retryFor) + limits.answerFor
    }
}
