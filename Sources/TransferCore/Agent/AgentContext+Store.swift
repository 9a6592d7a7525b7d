import WireProtocol

// Waiting for a store that is down or full (specification §7.5).

extension AgentContext {
    /// The refusal after which uploads wait now; `nil` if the agent has made progress since the last one.
    var presentRefusal: GatewayRefusal? { lastRefusal.flatMap { $0.since > progressAt ? $0.refusal : nil } }

    /// Reports what an upload waits for. A wait for the store is reported once for all uploads.
    mutating func reportWait(of upload: UploadID, _ refusal: GatewayRefusal) {
        let (code, message) = (refusal.code, refusal.message)
        if presentRefusal?.code != code { lastRefusal = WaitCause(refusal: refusal, since: now) }
        guard code.isOfStore else { return actions.append(.report(upload, .waiting(code, message: message))) }
        guard store.refused(code) else { return }
        let reason = message.isEmpty ? code.words : message
        let text = "\(reason); it is tried again by itself, and little is sent until it takes data"
        actions.append(.report(upload, .waiting(code, message: text)))
    }
}
