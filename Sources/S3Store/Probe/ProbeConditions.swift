import NIOHTTP1
import ObjectStore
import TransferCommon
import WireProtocol

/// The part of the probe that finds out which conditions of writes a store honours.
struct ProbeConditions {
    let probe: StoreProbe

    private static let otherETag = "\"0123456789abcdef0123456789abcdef\""

    func ofCompletion() async throws(StoreError) -> S3Provider.Conditions {
        try await conditions(beyond: probe.bucket.provider.completeConditions) { wanted throws(StoreError) in
            try await condition { () async throws(StoreError) in try await probe.upload(wanted) }
        }
    }

    /// The conditions of PutObject. A condition counts as honoured only if the store checks it at the end of the body.
    /// With other stores the gateway looks up the key right before it sends the last bytes. It sends the header to
    /// those stores, too, because a check at the beginning still catches some conflicts.
    func ofPut() async throws(StoreError) -> S3Provider.Conditions {
        var seen = try await conditions(beyond: probe.bucket.provider.putConditions) { wanted throws(StoreError) in
            try await condition { () async throws(StoreError) in _ = try await probe.put(wanted) }
        }
        guard seen.ifAbsent == .honoured || seen.ifMatch == .honoured else { return seen }
        if seen.ifAbsent == .honoured, await isCheckedAtTheEnd() { return seen }
        if seen.ifAbsent == .honoured { seen.ifAbsent = .ignored }
        if seen.ifMatch == .honoured { seen.ifMatch = .ignored }
        return seen
    }

    /// - Returns: `false` if two attempts have not shown that the store checks the condition at the end.
    private func isCheckedAtTheEnd() async -> Bool {
        for attempt in 1...2 {
            // Another key for each attempt: an object that the first attempt has left would refuse the second.
            if let isSeen = await probe.seesObjectThatComesDuringBody(at: "\(probe.key)-late-\(attempt)") {
                return isSeen
            }
        }
        return false
    }

    /// Deletes the probe's object under the condition that it has another ETag. Only a store that refuses this honours
    /// the condition.
    func isHonouredByDeletion() async throws(StoreError) -> Bool {
        var request = S3Request(.DELETE, key: probe.key)
        request.headers = [("if-match", Self.otherETag)]
        do {
            let (sent, client) = (request, probe.bucket.client)
            _ = try await probe.calls.repeating { () async throws(StoreError) in try await client.send(sent) }
            return false
        } catch {
            guard error.isRefusal else { throw error }
            return (error.cause as? S3Refusal)?.status == 412
        }
    }

    /// - Parameter known: the properties in the table of providers. The probe does not send a condition that the store
    ///   refuses by this table.
    private func conditions(
        beyond known: S3Provider.Conditions, _ sees: (PutCondition) async throws(StoreError) -> S3Provider.Condition
    ) async throws(StoreError) -> S3Provider.Conditions {
        var seen = known
        if known.ifAbsent != .refused { seen.ifAbsent = try await sees(.ifAbsent) }
        if known.ifMatch != .refused { seen.ifMatch = try await seesMatch(sees) }
        return seen
    }

    /// Tests the condition `ifMatch` twice. With an ETag that the object does not have, the store must refuse to
    /// replace the object. With the object's own ETag it must replace the object.
    private func seesMatch(
        _ sees: (PutCondition) async throws(StoreError) -> S3Provider.Condition
    ) async throws(StoreError) -> S3Provider.Condition {
        let other = try await sees(.ifMatch(etag: Self.otherETag))
        guard other == .honoured else { return other }
        let headers = try await probe.calls.repeating { () async throws(StoreError) in
            try await probe.bucket.head(at: probe.key)
        }
        guard let etag = headers?.value("etag") else { return .refused }
        // `sees` returns `.ignored` for a request that succeeds. Here the condition holds, so success means that the
        // store honours it.
        return try await sees(.ifMatch(etag: etag)) == .ignored ? .honoured : .refused
    }

    /// The store is known to accept the same request without a condition, so a refusal is about the condition.
    private func condition(
        _ call: () async throws(StoreError) -> Void
    ) async throws(StoreError) -> S3Provider.Condition {
        do {
            try await probe.calls.repeating(call)
            return .ignored
        } catch {
            switch error.reason {
            case .keyTaken: return .honoured
            case .unsupported, .objectGone: return .refused
            case _ where error.isRefusal: return .refused
            default: throw error
            }
        }
    }
}
