import TransferCommon
import WireProtocol

// A file that was touched: its stored parts are read again, and only their digests tell whether the content is the
// same.

extension AgentUpload {
    mutating func verify(stamp: FileStamp, for purpose: FileVerification.Purpose, _ context: inout AgentContext) {
        guard !parts.stored.isEmpty else {
            session.restamped(stamp)
            lifecycle.wait(to: requestToRepeat, until: context.now)
            return
        }
        lifecycle.verify(FileVerification(of: parts.stored.list.map(\.part), stamp: stamp, for: purpose))
    }

    mutating func readForVerification(
        _ verification: FileVerification, _ context: inout AgentContext
    ) -> Bool {
        guard let number = verification.next(concurrency: context.limits.concurrency), let plan = session.plan,
            let size = plan.bytes(of: number)
        else { return false }
        var next = verification
        next.began(number)
        lifecycle.verify(next)
        context.actions.append(
            .readPart(id, number, start: plan.start(of: number), bytes: size, withMD5: false, keep: false))
        return true
    }

    mutating func partVerified(
        _ number: PartNumber, _ reading: PartReading, _ verification: FileVerification, _ context: inout AgentContext
    ) {
        var next = verification
        guard let result = next.read(number, reading, expected: parts.stored[number]?.digest) else { return }
        lifecycle.verify(next)
        switch (result, next.purpose) {
        case (.reading, _):
            break
        case (.same, .complete):
            session.restamped(next.stamp)
            context.journal(.restamped(id, next.stamp))
            sendComplete(&context)
        case (.same, .resume):
            session.restamped(next.stamp)
            acceptStored()
            lifecycle.wait(to: requestToRepeat, until: context.now)
        case (.other, .resume):
            versionChanged(&context)
        case (.other, .complete):
            end(.failed(.changedWhileSent), &context)
        case (.failed(let failure), _):
            end(.failed(failure), &context)
        }
    }
}
