import ObjectStore

/// One request with a body: a large body is sent as it arrives, a small one once it is complete.
struct BodyRequest: Sendable {
    let request: S3Request
    let client: S3Client
    let pump: BodyPump

    /// Largest body, in bytes, that is collected before it is sent: for such a body, an HTTP request that waits for
    /// bytes would cost more than the memory.
    static let wholeBytesMax: UInt64 = 64 << 10

    func send() async -> Result<S3Response, StoreError> {
        pump.body.byteCount <= Self.wholeBytesMax ? await sendWhole() : await stream()
    }

    private enum Event {
        case pumped
        case answered(Result<S3Response, StoreError>)
        case watched(isStalled: Bool)
    }

    private func stream() async -> Result<S3Response, StoreError> {
        let limit = client.configuration.timeouts.bodyPause
        return await withTaskGroup(of: Event.self) { group in
            group.addTask {
                _ = await pump.run()
                return .pumped
            }
            // The HTTP client limits how long the source may supply no bytes, but not how long the server may accept
            // none. This task does that.
            group.addTask { .watched(isStalled: await pump.handoff.waitForStall(of: limit)) }
            group.addTask {
                do throws(StoreError) {
                    let (handoff, commitment) = (pump.handoff, pump.commitment)
                    return .answered(
                        .success(
                            try await client.stream(request, body: pump.body, from: handoff, commitment: commitment)))
                } catch {
                    return .answered(.failure(error))
                }
            }
            var isStalled = false
            while let event = await group.next() {
                switch event {
                case .pumped:
                    // A failed body breaks the request off, and the request then reports the body's error.
                    continue
                case .watched(let hasStalled):
                    isStalled = hasStalled
                case .answered(let answer):
                    // The answer has arrived, so the source's bytes are no longer needed. Close the handoff, because
                    // the source may stay silent for long.
                    pump.handoff.close()
                    group.cancelAll()
                    switch answer {
                    case .success where !pump.commitment.isCommitted:
                        // A store that answers before it has the whole body has not stored it.
                        return .failure(StoreError(.unavailable, "The store answered before it had all bytes."))
                    case .failure where isStalled:
                        return .failure(StoreError(.unavailable, "The store takes no more bytes."))
                    default:
                        return answer
                    }
                }
                if isStalled { group.cancelAll() }
            }
            return .failure(StoreError(.cancelled))
        }
    }

    private func sendWhole() async -> Result<S3Response, StoreError> {
        switch await pump.gather() {
        case .failure(let error):
            return .failure(error)
        case .success(let bytes):
            do throws(StoreError) {
                return .success(
                    try await client.put(request, whole: bytes, digest: pump.body.digest, commitment: pump.commitment))
            } catch {
                return .failure(error)
            }
        }
    }
}
