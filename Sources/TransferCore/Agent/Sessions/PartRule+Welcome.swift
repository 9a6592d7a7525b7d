import TransferCommon
import WireProtocol

extension Welcome {
    /// The sizes of parts and objects that the gateway accepts.
    var rule: PartRule {
        PartRule(
            partBytesMin: partBytesMin, partBytesMax: partBytesMax, partBytesDefault: partBytesDefault,
            partsMax: partsMax, objectBytesMax: objectBytesMax)
    }
}

extension PartRule.Refusal {
    var failure: UploadFailure {
        switch self {
        case .partSizeOutOfBounds(let wish):
            UploadFailure(.partSizeUnsupported, "the gateway does not take parts of \(wish) bytes")
        case .partSizeTooSmall(let wish, let needed):
            UploadFailure(
                .partSizeUnsupported, "parts of \(wish) bytes are too many for this file; at least \(needed) are needed"
            )
        case .fileTooLarge(let most):
            UploadFailure(.sizeUnsupported, "the store takes files of at most \(most) bytes")
        }
    }
}
