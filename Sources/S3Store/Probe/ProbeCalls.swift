import TransferCommon

/// Sends the requests of the probe, and repeats those that fail for a temporary reason.
///
/// The client repeats only requests that are safe to repeat for any caller. The probe may repeat all its requests,
/// because they concern its own object and its own uploads. If the store executes a request twice, at most an upload is
/// left, which the next cleaning removes.
struct ProbeCalls {
    let retries: S3RetryPolicy

    /// Time after which a failed request is not repeated. A store that answers only after minutes would otherwise delay
    /// the start for too long.
    private static let timeMax = Duration.seconds(10)

    func repeating<Value>(
        _ request: () async throws(StoreError) -> Value
    ) async throws(StoreError) -> Value {
        var generator = SystemRandomNumberGenerator()
        let end = ContinuousClock.now + Self.timeMax
        var count = 0
        while true {
            count += 1
            do {
                return try await request()
            } catch {
                guard error.mayPass, count < retries.attemptsMax, ContinuousClock.now < end else { throw error }
            }
            do {
                try await Task.sleep(for: retries.delay(afterAttempt: count, using: &generator))
            } catch {
                throw StoreError(.cancelled, cause: error)
            }
        }
    }

    /// Sends the request of a step.
    ///
    /// - Returns: the store's refusal; `nil` if the store accepted the request.
    /// - Throws: an error that is no refusal. Its sentence names the step, unless its `detail` names the call.
    func refusal(
        of step: ProbeFindings.Step, _ request: () async throws(StoreError) -> Void
    ) async throws(StoreError) -> StoreError? {
        do {
            try await repeating(request)
            return nil
        } catch {
            if error.isRefusal { return error }
            guard error.detail == nil else { throw error }
            throw StoreError(error.reason, "\(step.rawValue): \(error.sentence)", cause: error.cause)
        }
    }
}

extension StoreError {
    /// Whether the store refuses this kind of request. `false` for an error that may be gone at the next attempt, and
    /// for an error that concerns all requests, such as wrong credentials or a missing bucket.
    var isRefusal: Bool {
        guard let refusal = cause as? S3Refusal, !isRetryable, reason != .bucketMissing else { return false }
        let isOfCredentials = reason == .denied && !["", "AccessDenied"].contains(refusal.code)
        return ((400..<500).contains(refusal.status) || refusal.status == 501) && !isOfCredentials
    }

    /// Whether the same request may succeed a moment later.
    var mayPass: Bool {
        switch reason {
        case .unavailable, .throttled: true
        // Without a cause, the store has answered with success, but its answer is incomplete. Do not repeat such a
        // request.
        case .outcomeUnknown: cause != nil
        default: false
        }
    }

    /// Whether the store has left the probe's question open: it did not answer, or its answer cannot be read. `false`
    /// for a refusal, which is an answer, and for an error that concerns all requests.
    var leavesQuestionOpen: Bool {
        switch reason {
        case .unavailable, .throttled, .outcomeUnknown, .damaged: true
        default: false
        }
    }
}
