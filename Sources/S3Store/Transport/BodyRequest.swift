import ObjectStore
import TransferCommon

/// One request with a body. A large body is sent while it arrives, a small one after it has arrived.
struct BodyRequest: Sendable {
    let request: S3Request
    let client: S3Client
    let pump: BodyPump

    /// Largest body, in bytes, that is collected before it is sent. Collecting such a body costs little memory. Keeping
    /// a connection to the store open while the body arrives would cost more.
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
            // The HTTP client limits the time in which the source has no bytes. It does not limit the time in which the
            // server accepts no bytes, so this task does.
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
                    // If the body fails, the pump ends the request early, and the request then returns the error of the
                    // body.
                    continue
                case .watched(let hasStalled):
                    isStalled = hasStalled
                case .answered(let answer):
                    // The request has ended. Do not wait for the source, which may be silent for long: its bytes are
                    // not needed any more.
                    pump.handoff.close()
                    group.cancelAll()
                    switch answer {
                    case .success where !pump.commitment.isCommitted:
                        // The store answered with success before it had the whole body. It cannot have stored the body.
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
