import WireProtocol

// Waiting for a store that is down or full (specification §7.5).

extension AgentContext {
    /// Reports what an upload waits for. A wait for the store is reported once for all uploads.
    mutating func reportWait(of upload: UploadID, _ code: ErrorCode, message: String) {
        guard code.isOfStore else { return actions.append(.report(upload, .waiting(code, message: message))) }
        guard store.refused(code) else { return }
        let reason = message.isEmpty ? code.words : message
        let text = "\(reason); it is tried again by itself, and little is sent until it takes data"
        actions.append(.report(upload, .waiting(code, message: text)))
    }

    /// The wait before the next attempt after a failure whose reason may be the store. The gateway knows when another
    /// attempt is worthwhile, and advises each agent a different wait, so that they do not return together. A longer
    /// wait than the advised one would only cost time.
    mutating func storeDelay(
        afterFailures failures: Int, code: ErrorCode, adviceMilliseconds: UInt32
    ) -> Duration {
        let isAdvised = code.isOfStore && adviceMilliseconds > 0
        return retryDelay(
            afterFailures: isAdvised ? min(failures, 3) : failures, adviceMilliseconds: adviceMilliseconds)
    }
}
