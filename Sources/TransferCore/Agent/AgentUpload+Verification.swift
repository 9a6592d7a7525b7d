import TransferCommon
import WireProtocol

// A file that was touched: its stored parts are read again, and only their digests say whether it is the same.

extension AgentUpload {
    mutating func verify(stamp: FileStamp, completes: Bool, _ context: inout AgentContext) {
        guard !stored.isEmpty else {
            self.stamp = stamp
            phase = .waiting(requestToRepeat, until: context.now)
            return
        }
        phase = .verifying(Verification(unread: stored.keys.sorted(), stamp: stamp, completes: completes))
    }

    mutating func readForVerification(
        _ verification: Verification, _ context: inout AgentContext
    ) -> Bool {
        var next = verification
        guard let number = next.unread.first, next.beingRead.count < context.limits.concurrency, let plan,
            let size = plan.bytes(of: number)
        else { return false }
        next.unread.removeFirst()
        next.beingRead.insert(number)
        phase = .verifying(next)
        context.actions.append(
            .readPart(id, number, start: plan.start(of: number), bytes: size, withMD5: false, keep: false))
        return true
    }

    mutating func partVerified(
        _ number: PartNumber, _ reading: PartReading, _ verification: Verification, _ context: inout AgentContext
    ) {
        var next = verification
        guard next.beingRead.remove(number) != nil else { return }
        phase = .verifying(next)
        switch reading {
        case .read(let digest, _, let later):
            guard verification.stamp == later else {
                return end(.failed(UploadFailure(.changed, "the file changed while it was being read")), &context)
            }
            guard digest == stored[number]?.digest else {
                guard verification.completes else { return versionChanged(&context) }
                return end(.failed(UploadFailure(.changed, "the file changed while it was being sent")), &context)
            }
        case .truncated, .readOfStream:
            return end(.failed(UploadFailure(.changed, "the file was cut short while it was being read")), &context)
        case .failed(let failure):
            return end(.failed(failure), &context)
        }
        guard next.unread.isEmpty, next.beingRead.isEmpty else { return }
        stamp = next.stamp
        if next.completes {
            context.journal(.restamped(id, next.stamp))
            sendComplete(&context)
        } else {
            acceptStored()
            phase = .waiting(requestToRepeat, until: context.now)
        }
    }
}
