import NIOPosix
import SystemSupport
import TransferCommon
import TransferCore

// Submits the orders of a program that runs for a long time, such as the agent service.

extension UploadFeeder {
    private typealias Opened = (source: SourceFile, stamp: FileStamp)

    /// Submits orders until the program has finished them, or the run ends.
    ///
    /// - Returns: the number of submitted uploads and questions.
    func perform(_ orders: UploadOrders, _ submission: UploadSubmission) async throws -> Int {
        control.whenEnded { orders.wake() }
        var last = UploadID(try await submission.read { try $0.lastUpload() })
        // try?: an unreadable journal ends the run at its next write.
        var count = await drop((try? await submission.read { try $0.dropping() }) ?? [], submission)
        var asked: Int64 = 0
        while true {
            let room = min(await shell.waitForRoom(), Self.batchMax)
            let batch = await orders.next(atMost: room) { [control] in control.isStopped }
            guard !batch.isEmpty else { return count }
            await submission.events.waitUntilRead()
            for order in batch {
                switch order {
                case .send(let order): count += await send(order, &last, submission)
                case .ask(let order):
                    asked -= 1
                    count += await ask(order, as: UploadID(asked), submission)
                }
            }
        }
    }

    private func send(
        _ order: SendingOrder, _ last: inout UploadID, _ submission: UploadSubmission
    ) async -> Int {
        var count = 0
        do {
            try Self.check(order.key)
            let file = try await opened(order.open)
            // An upload of this key that another command drops ends first.
            _ = await shell.waitForFree([order.key])
            var record = try await submission.read { try $0.record(ofKey: order.key) }
            if let marked = record.unfinished, marked.isDropping {
                count += await submission.takeUp(marked.id, at: nil, abort: true)
                _ = await shell.waitForFree([order.key])
                record = try await submission.read { try $0.record(ofKey: order.key) }
            }
            if record.unfinished == nil { last = UploadID(last.value + 1) }
            var request = UploadRequest(
                pushing: order.key, file.stamp, after: record, newID: last, policy: order.policy,
                partBytesWish: order.partBytesWish, metadata: order.metadata, wantsReceipt: order.wantsReceipt)
            // Only the proof of the named session lets the machine replace that session's object.
            if let continued = order.continues, record.proof?.session == continued { request.proof = record.proof }
            return count + (await submission.submit([(request, order.location, .file(file.source))]))
        } catch {
            // Also if the journal cannot be read: each order gets an outcome, and the run counts what it has submitted.
            let failure = JournalWriter.failure(error)
            submission.events.add([
                .refused(path: order.location.path, key: order.key, failure, isResumable: false)
            ])
            return count
        }
    }

    private func ask(_ order: AskingOrder, as id: UploadID, _ submission: UploadSubmission) async -> Int {
        do {
            let file = try await opened(order.open)
            var request = ProofRequest(
                id: id, key: order.key, stamp: order.stamp, partBytes: order.partBytes, root: order.root)
            request.stampCounts = false
            submission.events.add([.asked(id, path: order.path, key: order.key, bytes: order.stamp.size)])
            await shell.prove([(request, file.source)])
            return 1
        } catch {
            let failure = error as? UploadFailure ?? UploadFailure(.stopped, "stopped")
            submission.events.add([.checked(CheckedFile(path: order.path, key: order.key, .failed(failure)))])
            return 0
        }
    }

    private func opened(_ open: @escaping @Sendable () throws(UploadFailure) -> SourceFile) async throws -> Opened {
        try await threads.runIfActive {
            let file = try open()
            return (file, try file.stamp())
        }
    }
}
