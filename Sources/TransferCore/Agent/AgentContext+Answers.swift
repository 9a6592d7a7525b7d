import TransferCommon

// Waiting for answers of gateways (specification §5.4).

extension AgentContext {
    /// Notes what a gateway owes to an upload or a proof, and reports a long wait. The report stands for all uploads:
    /// the next one follows only after the answer has come.
    ///
    /// - Parameter connections: those on which the answer may come.
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

    /// Until when the agent is patient with a gateway that owes an answer.
    ///
    /// - Parameter dueSince: since when a gateway that answers PING has owed it. Connections that break again and again
    ///   make it due anew each time, so the patience also ends that long after the run would have been given up.
    func endOfPatience(dueSince: Instant) -> Instant {
        min(dueSince, progressAt + limits.retryFor) + limits.answerFor
    }
}
