import TransferCommon

// Answers of the shell to the actions that it performs: chunks, reads and the journal.

extension Agent {
    mutating func chunkSent(_ chunk: Chunk, wireBytes: UInt64) {
        let now = context.now
        let queued = context.connections[chunk.connection]?.withOpen { open in
            open.taken(wireBytes: wireBytes, now: now)
            return open.removed(chunk)
        }
        if let queued = queued ?? nil {
            uploads[chunk.upload]?.chunkTaken(chunk.part, of: queued.offer, upTo: chunk.end, &context)
        }
        touch(chunk.upload)
        proceed()
    }

    /// Replaces the plain size by the size on the wire in the account of the rate. Nothing else depends on this event,
    /// so it is not the time of the machine's next decision either.
    mutating func chunkEncoded(plainBytes: UInt32, wireBytes: UInt64, now: Instant) {
        limiter.giveBack(UInt64(plainBytes), now: now)
        limiter.spent(wireBytes, now: now)
    }

    /// Ends the upload, unless the part has been deferred, dropped or offered again since: then the failure is of an
    /// attempt that does not count any more.
    mutating func chunkFailed(_ chunk: Chunk, _ failure: UploadFailure) {
        let queued = context.connections[chunk.connection]?.withOpen { $0.removed(chunk) } ?? nil
        limiter.giveBack(UInt64(chunk.plainBytes), now: context.now)
        if let queued { uploads[chunk.upload]?.chunkFailed(chunk.part, of: queued.offer, failure, &context) }
        touch(chunk.upload)
        proceed()
    }

    mutating func partRead(_ part: PartNumber, of upload: UploadID, _ reading: PartReading) {
        uploads[upload]?.partRead(part, reading, &context)
        touch(upload)
        proceed()
    }

    mutating func evidenceComputed(_ reading: EvidenceReading, of upload: UploadID) {
        context.progressAt = context.now
        uploads[upload]?.evidenceComputed(reading, &context)
        proofEvidenceComputed(reading, of: upload)
        touch(upload)
        proceed()
    }

    mutating func fileChecked(_ result: Result<FileStamp, UploadFailure>, of upload: UploadID) {
        uploads[upload]?.fileChecked(result, &context)
        touch(upload)
        proceed()
    }

    mutating func journalCommitted(through sequence: JournalSequence) {
        for id in context.committed(through: sequence) {
            uploads[id]?.journalCommitted(through: sequence, &context)
            if uploads[id]?.phase == .ended { uploads[id] = nil }
            proofJournalCommitted(through: sequence, of: id)
            touch(id)
        }
        beginProofsOfReceipts()
        proceed()
    }

    /// Ends every upload where it is, and lets nothing begin.
    mutating func journalFailed(_ failure: UploadFailure) {
        phase = .ended(failure)
        isJournalLost = true
        for id in inOrder(uploads.keys) {
            uploads[id]?.forgetParts(&context)
            guard let upload = uploads[id] else { continue }
            context.actions.append(.finish(id, .failed(failure), upload.progress))
        }
        uploads = [:]
        giveUpProofs(failure)
        closeConnections()
    }
}
