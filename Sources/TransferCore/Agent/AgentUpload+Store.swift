import WireProtocol

// What waits for a store that is down or full (specification §7.5).

extension AgentContext {
    /// Tells the user what an upload waits for. A wait for the store is reported once for all uploads.
    mutating func reportWait(of upload: UploadID, _ code: ErrorCode, message: String) {
        guard code.isOfStore else { return actions.append(.report(upload, .waiting(code, message: message))) }
        guard store.refused(code) else { return }
        let reason = message.isEmpty ? code.words : message
        let text = "\(reason); it is tried again by itself, and little is sent until it takes data"
        actions.append(.report(upload, .waiting(code, message: text)))
    }

    /// The wait before something is tried again that the store is the reason for. The gateway knows when that is worth
    /// a try, and its advice keeps agents apart; waiting longer of our own accord would only cost time.
    mutating func storeDelay(
        afterFailures failures: Int, code: ErrorCode, adviceMilliseconds: UInt32
    ) -> Duration {
        let isAdvised = code.isOfStore && adviceMilliseconds > 0
        return retryDelay(
            afterFailures: isAdvised ? min(failures, 3) : failures, adviceMilliseconds: adviceMilliseconds)
    }
}

extension Agent {
    /// The store takes parts again: some of what waits for it goes on at once.
    mutating func wakeWhatWaitsForStore() {
        var left = context.store.takeWakes()
        guard left > 0 else { return }
        for id in inOrder(uploads.keys) where left > 0 {
            let count = uploads[id]?.goOnAtOnce(most: left, context) ?? 0
            if count > 0 { touch(id) }
            left -= count
        }
    }
}

extension AgentUpload {
    /// Ends the wait for the store: of the upload, or of some of its parts.
    ///
    /// - Returns: how many waits were ended.
    mutating func goOnAtOnce(most: Int, _ context: AgentContext) -> Int {
        if case .waiting(_, let until) = phase, until == waitsForStoreUntil, until > context.now {
            lifecycle.stopWaiting(now: context.now)
            return 1
        }
        var count = 0
        for number in parts.keys.sorted() where count < most {
            if parts[number]?.storeIsWell(now: context.now) == true { count += 1 }
        }
        return count
    }
}
