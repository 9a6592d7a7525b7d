import GatewayKit
import Glibc
import ObjectStore
import SystemSupport
import Testing
import TransferCommon

/// The messages and exit codes of errors that end a command of the gateway.
@Suite struct GatewayFailureTests {
    private struct Answer: StoreErrorDetail {
        let detail = "HeadBucket: 403 AccessDenied: no, request r"
        let facts = StoreCallFacts(operation: "HeadBucket", status: 403, code: "AccessDenied", requestID: "r")
    }

    @Test(arguments: [
        (StoreError.Reason.denied, 69, "The store refuses the gateway", "check the credentials"),
        (.bucketMissing, 69, "The store's directory or bucket is missing", "create it"),
        (.unavailable, 75, "The store is not available", "check --s3-endpoint"),
        (.full, 75, "The store is full", "make room"), (.unsupported, 69, "The store cannot do this", ""),
    ])
    func theStoresAnswerIsShown(reason: StoreError.Reason, exitCode: Int32, sentence: String, advice: String) {
        let inner = StoreError(reason, cause: Answer())
        for error in [inner, StoreError(reason, cause: inner)] {
            let failure = GatewayFailure(error)
            #expect(failure?.exitCode == exitCode)
            let told = failure?.sentence ?? ""
            let cause = "\(sentence) (HeadBucket: 403 AccessDenied: no, request r)"
            #expect(told.hasPrefix(advice.isEmpty ? "\(cause)." : "\(cause); \(advice)"), "\(told)")
            #expect(told.hasSuffix(".") && !told.contains(". "), "one sentence: \(told)")
        }
    }

    /// Advice about credentials and endpoints would mislead the operator of a store in a directory.
    @Test(arguments: [
        (StoreError.Reason.denied, 69, "let the gateway's user write there"), (.unavailable, 75, "check the disk"),
    ])
    func adviceAboutADirectoryIsNotThatAboutS3(reason: StoreError.Reason, exitCode: Int32, advice: String) {
        let cause = FileError(path: "/srv/objects", cause: .notRegularFile)
        let failure = GatewayFailure(StoreError(reason, cause: cause))
        #expect(failure?.exitCode == exitCode)
        #expect(failure?.sentence.contains(advice) == true, "\(failure?.sentence ?? "")")
        #expect(failure?.sentence.contains("s3") == false && failure?.sentence.contains("AWS") == false)
    }

    @Test func errorWithoutAnswerIsItsSentence() {
        #expect(GatewayFailure(StoreError(.unsupported))?.sentence == "The store cannot do this.")
    }

    private func error(_ code: CInt, _ path: String = "/home/devices.lock") -> FileError {
        FileError(FileCall(.createFile, path), errno: code)
    }

    /// What the system refuses has a cause of its own, and with it another advice and exit code.
    @Test(arguments: [
        (ENOSPC, 74, "make room on the disk"), (EROFS, 66, "mount the file system for writing"),
        (EACCES, 66, "run the command as the user"), (EMFILE, 75, "raise the limit (ulimit -n"),
    ])
    func errorOfTheHomeSaysWhatToDo(code: CInt, exitCode: Int32, advice: String) throws {
        let failure = try #require(GatewayFailure(GatewayHomeError("cannot change it", cause: error(code))))
        #expect(failure.exitCode == exitCode && failure.sentence.contains("; \(advice)"), "\(failure.sentence)")
    }

    /// A failing disk may be a passing fault. A missing or wrong file is not.
    @Test(
        arguments: [(EIO, 75), (EINTR, 75), (ENOMEM, 75), (ENOENT, 66), (ENOTDIR, 66), (ELOOP, 66)] as [(CInt, Int32)])
    func passingErrorOfTheSystemIsTriedAgain(code: CInt, exitCode: Int32) {
        #expect(GatewayFailure(error(code))?.exitCode == exitCode)
    }

    @Test func unexpectedFileIsMissingInput() {
        #expect(GatewayFailure(FileError(path: "/home/devices", cause: .notRegularFile))?.exitCode == 66)
    }

    @Test(arguments: [
        (EROFS, 69, "read-only file system; mount it for writing"), (EMFILE, 75, "too few descriptors"),
    ])
    func errorOfTheStoresDirectorySaysWhatToDo(code: CInt, exitCode: Int32, text: String) throws {
        let error = StoreError(
            code == EROFS ? .denied : .unavailable,
            code == EROFS
                ? "The store's directory is on a read-only file system." : "The gateway has too few descriptors.",
            cause: error(code, "/srv/a"))
        let failure = try #require(GatewayFailure(error))
        #expect(failure.exitCode == exitCode && failure.sentence.contains(text), "\(failure.sentence)")
    }

    private struct LibraryError: Error {}

    /// The text of a library is not for operators.
    @Test func unknownErrorIsAGeneralSentence() {
        let sentence = ErrorSentence(LibraryError())
        #expect(
            !sentence.description.contains("LibraryError") && sentence.libraryText?.contains("LibraryError") == true)
        let home = GatewayHomeError("cannot read it", cause: LibraryError())
        #expect(!"\(home)".contains("LibraryError"), "\(home)")
        #expect(GatewayFailure(LibraryError()) == nil)
    }

    @Test func missingHomeIsNamed() {
        let home = GatewayHome(path: "/nonexistent/gateway")
        let error = #expect(throws: GatewayHomeError.self) { try home.confirm() }
        let failure = error.flatMap { GatewayFailure($0) }
        #expect(failure?.exitCode == 66 && failure?.sentence.contains("sluice-gateway init") == true)
    }
}
