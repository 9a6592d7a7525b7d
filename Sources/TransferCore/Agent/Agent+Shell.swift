package import TransferCommon

// What the shell answers to the actions that it performs: chunks, readings, the journal.

extension Agent {
    /// A connection's socket has taken a chunk.
    ///
    /// - Parameters:
    ///   - end: the part's plain bytes up to the end of the chunk.
    ///   - wireBytes: what the chunk took on the wire, header included.
    package mutating func chunkSent(
        _ id: ConnectionID, upload: UploadID, part: PartNumber, end: ByteOffset, plainBytes: UInt32, wireBytes: UInt64,
        now: Instant
    ) {
        context.now = now
        let chunk = context.connections[id]?.unqueue(upload, part, plainBytes: UInt64(plainBytes))
        context.connections[id]?.measure(wireBytes: wireBytes, now: now)
        if let chunk { uploads[upload]?.chunkTaken(part, attempt: chunk.attempt, end: end, &context) }
        touch(upload)
        proceed()
    }

    /// A chunk is on its way to the socket and its size on the wire is known: that is what counts against the rate.
    package mutating func chunkEncoded(plainBytes: UInt32, wireBytes: UInt64, now: Instant) {
        limiter.giveBack(UInt64(plainBytes), now: now)
        limiter.spent(wireBytes, now: now)
    }

    /// A chunk could not be made, and will not be sent. Where its part has been deferred, dropped or offered again
    /// since, that says nothing.
    ///
    /// - Parameter part: where it is `nil`, the upload's first chunk that waits on the connection is meant.
    package mutating func chunkFailed(
        _ id: ConnectionID, upload: UploadID, part: PartNumber? = nil, plainBytes: UInt32, failure: UploadFailure,
        now: Instant
    ) {
        context.now = now
        let chunk = context.connections[id]?.unqueue(upload, part, plainBytes: UInt64(plainBytes))
        limiter.giveBack(UInt64(plainBytes), now: now)
        if let chunk { uploads[upload]?.chunkFailed(chunk.carried.part, attempt: chunk.attempt, failure, &context) }
        touch(upload)
        proceed()
    }

    /// The shell has read and hashed a part, or could not.
    package mutating func partRead(_ part: PartNumber, of upload: UploadID, _ reading: PartReading, now: Instant) {
        context.now = now
        uploads[upload]?.partRead(part, reading, &context)
        touch(upload)
        proceed()
    }

    /// The shell has read the whole file for comparison, or could not.
    package mutating func evidenceComputed(_ reading: EvidenceReading, of upload: UploadID, now: Instant) {
        context.now = now
        context.progressAt = now
        uploads[upload]?.evidenceComputed(reading, &context)
        proofEvidenceComputed(reading, of: upload)
        touch(upload)
        proceed()
    }

    /// The shell has looked at the file again, or could not.
    package mutating func fileChecked(_ result: Result<FileStamp, UploadFailure>, of upload: UploadID, now: Instant) {
        context.now = now
        uploads[upload]?.fileChecked(result, &context)
        touch(upload)
        proceed()
    }

    /// All journal writes up to this one are durable.
    package mutating func journalCommitted(through sequence: JournalSequence, now: Instant) {
        context.now = now
        for id in context.committed(through: sequence) {
            uploads[id]?.journalCommitted(through: sequence, &context)
            if uploads[id]?.phase == .ended { uploads[id] = nil }
            proofJournalCommitted(through: sequence, of: id)
            touch(id)
        }
        beginProofsOfReceipts()
        proceed()
    }

    /// The journal cannot be written: nothing new may begin, everything stops where it is.
    package mutating func journalFailed(_ failure: UploadFailure, now: Instant) {
        context.now = now
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
