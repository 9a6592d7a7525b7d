import CommandSupport
import TransferCore

// Fields that several kinds of objects have.

extension JSONField {
    static let key = JSONField.only(
        "a gateway has told this home the device's prefix", .string, "the object's key in the store, with the prefix")

    static let relativeKey = JSONField.only(
        "the file has one", .string, "the key without the device's prefix, as `--key` takes it")

    static let pathBytes = JSONField.only(
        "the path is not UTF-8", .base64, "the bytes of the path; `path` shows those that are not ASCII as `\\xNN`")

    static let notBegun = JSONField.only(
        "the run was interrupted or ended early", .integer, "files that the run had not begun")

    static let moreNotBegun = JSONField.only(
        "there is `not_begun`", .boolean, "whether there may be more, because not all directories were read")

    static let ended = JSONField.only(
        "the run ended before its work was done", .word(UploadFailure.Kind.words), "the kind of the failure")
}

extension UploadFailure.Kind {
    /// The words of all kinds, as JSON has them.
    static let words = allCases.map(\.rawValue)
}
