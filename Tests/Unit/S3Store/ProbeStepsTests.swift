import NIOCore
import ObjectStore
import ObjectStoreConformance
import S3Servers
import S3Store
import ScriptedS3
import Testing
import TransferCommon

/// The probe at stores that refuse one of its steps.
@Suite(.timeLimit(.minutes(5))) struct ProbeStepsTests {
    private static func isAny(_ call: S3Call) -> Bool { true }

    private func expectNoStart(
        _ operation: S3Call.Operation, status: Int, code: String, reason: StoreError.Reason, naming words: String
    ) async throws {
        try await ScriptedS3.withServer(.generic) { s3 in
            s3.inject(.refuse(status: status, code: code), into: operation, times: .max, where: Self.isAny)
            let error = await #expect(throws: StoreError.self, "\(operation)") {
                try await withStore(on: s3) { _ in }
            }
            #expect(error?.reason == reason, "\(operation): \(String(describing: error))")
            #expect(error?.sentence.contains(words) == true, "\(operation): \(String(describing: error))")
            #expect(s3.keys.isEmpty, "nothing is left behind")
        }
    }

    @Test func missingRightPreventsTheStartAndIsNamed() async throws {
        for (operation, right) in [
            (S3Call.Operation.listParts, "s3:ListMultipartUploadParts"), (.abortUpload, "s3:AbortMultipartUpload"),
            (.listObjects, "s3:ListBucket"), (.putObject, "s3:PutObject"), (.uploadPart, "s3:PutObject"),
            (.createUpload, "s3:PutObject"),
        ] {
            try await expectNoStart(operation, status: 403, code: "AccessDenied", reason: .denied, naming: right)
        }
    }

    @Test func missingCallPreventsTheStartAndIsNamed() async throws {
        try await expectNoStart(
            .listParts, status: 501, code: "NotImplemented", reason: .unsupported, naming: "ListParts")
    }

    /// The store answers 403 for a missing key, as S3 does if the gateway may not list the bucket. HEAD of the probe's
    /// own object succeeds, so the gateway has the right to read. It therefore takes 403 to mean that the object is
    /// missing.
    @Test func forbiddenMissingKeyIsAbsent() async throws {
        try await ScriptedS3.withServer(.generic) { s3 in
            s3.inject(.refuse(status: 403, code: ""), into: .headObject, times: .max) { $0.key.hasSuffix("absent") }
            try await withStore(on: s3) { store in
                #expect(store.provider.hidesAbsentKeys)
                let summary = try await store.object(key: "absent")
                #expect(summary == nil)
            }
        }
    }

    /// A store that answers 403 to HEAD of a missing key also answers 403 to GET of a missing object or session record.
    /// The gateway takes this for a missing key only if the probe has shown this behaviour and the code is
    /// `AccessDenied`. Otherwise it takes 403 for a refusal.
    @Test func forbiddenMissingKeyIsAbsentWhenItIsRead() async throws {
        let isMissing: @Sendable (S3Call) -> Bool = { $0.key.hasSuffix("absent") }
        for (isProved, code) in [
            (true, "AccessDenied"), (true, "InvalidAccessKeyId"), (true, ""), (false, "AccessDenied"),
        ] {
            try await ScriptedS3.withServer(.generic) { s3 in
                if isProved {
                    s3.inject(.refuse(status: 403, code: ""), into: .headObject, times: .max, where: isMissing)
                }
                s3.inject(.refuse(status: 403, code: code), into: .getObject, times: .max, where: isMissing)
                try await withStore(on: s3) { store in
                    #expect(store.provider.hidesAbsentKeys == isProved)
                    guard isProved, code == "AccessDenied" else {
                        await expect(throwing: .denied) { try await store.readRecord(name: "absent") }
                        return await expect(throwing: .denied) { try await store.readObject(key: "absent") }
                    }
                    let record = try await store.readRecord(name: "absent")
                    let object = try await store.readObject(key: "absent")
                    #expect(record == nil && object == nil)
                }
            }
        }
    }

    @Test(arguments: [10, 100, 1_000, 10_000])
    func highestPartNumberIsFound(limit: Int) async throws {
        var rules = S3Rules.generic
        rules.partsMax = limit
        try await withStore(of: rules) { store, s3 in
            #expect(store.limits.partsMax == UInt32(limit))
            #expect(s3.keys.isEmpty && s3.uploads.isEmpty)
        }
    }

    /// A bucket with a default retention refuses an object without a checksum. So the gateway sends a checksum with
    /// objects of any size and with records.
    @Test func writesHaveTheChecksumThatTheStoreWants() async throws {
        var rules = S3Rules.generic
        rules.wantsChecksum = true
        for refusesSHA256 in [false, true] {
            rules.refusesChecksumHeaders = refusesSHA256
            try await withStore(of: rules) { store, _ in
                #expect(store.provider.putChecksum == (refusesSHA256 ? .md5 : .sha256))
                #expect(store.provider.partChecksum == .none)
                for size in refusesSHA256 ? [10] : [10, 100_000] {
                    let body = try body(of: [size])
                    _ = try await store.putObject(
                        key: "key", body: body, metadata: sampleMetadata(), condition: .none)
                }
                try await store.writeRecord(name: "record", bytes: [1])
            }
        }
    }

    /// Stores of this kind usually keep checksums, but this store refuses the headers of checksums. The probe finds
    /// that out, so the gateway leaves them out already at CreateMultipartUpload.
    @Test func uploadBeginsWithoutTheChecksumThatTheStoreRefuses() async throws {
        var rules = S3Rules.aws
        rules.keepsSHA256 = false
        rules.refusesChecksumHeaders = true
        try await withStore(of: rules) { store, s3 in
            #expect(store.provider.partChecksum == .md5 && !store.provider.keepsSHA256)
            let one = try #require(PartNumber(1))
            let upload = try await store.createUpload(key: "key", metadata: sampleMetadata())
            _ = try await store.uploadPart(key: "key", upload: upload, number: one, body: body(of: [10]))
            #expect(s3.uploads.map(\.parts) == [[1]])
        }
    }

    @Test(arguments: [
        S3Call.Operation.createUpload, .uploadPart, .listParts, .abortUpload, .completeUpload, .listUploads,
        .listObjects, .putObject, .headObject, .deleteObject,
    ])
    func passingFailureChangesNoFinding(operation: S3Call.Operation) async throws {
        var found: [S3Provider] = []
        for isFailing in [false, true] {
            try await ScriptedS3.withServer(.aws) { s3 in
                if isFailing {
                    s3.inject(.refuse(status: 500, code: "InternalError"), into: operation, where: Self.isAny)
                }
                try await withStore(on: s3) { store in
                    found.append(store.provider)
                    #expect(s3.keys.isEmpty && s3.uploads.isEmpty)
                }
            }
        }
        #expect(found.count == 2 && found.first == found.last)
    }

    @Test(arguments: [
        ProbeFindings.Step.listUploads, .wrongDigest, .completeCondition, .putCondition, .deleteCondition,
        .deleteObject,
    ])
    func optionalStepWithoutAnswerIsAWarning(step: ProbeFindings.Step) async throws {
        // To a store of the kind *aws* the gateway sends conditions even if the probe got no answer about them. So the
        // steps about these conditions are tested with the kind *generic*.
        let isUnknownKind = [.completeCondition, .putCondition].contains(step)
        var rules = S3Rules(name: isUnknownKind ? "generic" : "aws") { rules in
            rules.keepsSHA256 = true
            rules.checksObjectSize = true
            rules.remembersCompletions = true
            rules.conditionalPut = .honoured
            rules.conditionalComplete = .honoured
            rules.conditionalDelete = .honoured
        }
        switch step {
        case .wrongDigest: rules.failsOnWrongDigests = true
        case .completeCondition: rules.conditionalComplete = .failing
        case .putCondition: rules.conditionalPut = .failing
        case .deleteCondition: rules.conditionalDelete = .failing
        default: break
        }
        let record = LogRecord()
        try await ScriptedS3.withServer(rules) { s3 in
            let operation: S3Call.Operation? =
                step == .listUploads ? .listUploads : step == .deleteObject ? .deleteObject : nil
            if let operation {
                s3.inject(.refuse(status: 503, code: "SlowDown"), into: operation, times: .max, where: Self.isAny)
            }
            let isQuick: (inout S3Configuration) -> Void = { $0.retries.delayFirst = .milliseconds(1) }
            try await withStore(on: s3, isQuick, logger: record.logger) { store in
                #expect(store.provider.checksContentSHA256 == (step != .wrongDigest))
                #expect((store.provider.completeConditions == .honoured) == (step != .completeCondition))
                #expect((store.provider.putConditions == .honoured) == (step != .putCondition))
                #expect(store.provider.checksDeleteCondition == ![.deleteCondition, .deleteObject].contains(step))
                _ = try await store.putObject(
                    key: "key", body: body(of: [10]), metadata: sampleMetadata(), condition: .ifAbsent)
            }
        }
        let warning = "The store did not answer \(step.rawValue) ("
        #expect(record.lines.contains { $0.hasPrefix("warning") && $0.contains(warning) }, "\(record.lines)")
    }

    /// Stores of this kind are known to honour conditions, but this store does not answer the probe's question about
    /// them. The gateway sends conditions, but does not rely on them.
    @Test func conditionsOfAKnownKindAreSentWithoutAnAnswer() async throws {
        var rules = S3Rules.aws
        rules.conditionalPut = .failing
        try await ScriptedS3.withServer(rules) { s3 in
            try await withStore(on: s3, { $0.retries.delayFirst = .milliseconds(1) }) { store in
                #expect(store.provider.putConditions == .ignored)
                #expect(store.provider.completeConditions == .honoured)
            }
        }
    }

    /// The gateway may not delete its own objects. It starts nevertheless. It overwrites the records of finished
    /// sessions instead of deleting them.
    @Test func deniedDeletionEmptiesRecords() async throws {
        try await ScriptedS3.withServer(.generic) { s3 in
            s3.inject(
                .refuse(status: 403, code: "AccessDenied"), into: .deleteObject, times: .max, where: Self.isAny)
            try await withStore(on: s3) { store in
                let metadata = sampleMetadata()
                let record = SessionRecord(
                    device: "cam", session: metadata.session,
                    terms: SessionTerms(
                        key: "file", size: 10, partBytes: 10, modification: metadata.modification, condition: .absent),
                    upload: nil)
                let records = SessionRecords(store: store)
                try await records.write(record)
                try await records.remove(key: "file", session: metadata.session)
                let entries = try await records.sessions(key: "file")
                #expect(entries.isEmpty)
                let key = try #require(s3.keys.first { $0.contains("sessions/") })
                #expect(s3.object(key)?.readableBytes == 0)
            }
        }
    }
}
