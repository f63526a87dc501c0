package streamproof.analytics;

/** Says why a line is not a row. Bad input is expected and may be frequent, so it carries no stack trace. */
final class RejectedException extends Exception {
    private static final long serialVersionUID = 1;

    /** The name of the column at fault, or null. */
    final String column;

    RejectedException(String reason) {
        this(reason, null);
    }

    RejectedException(String reason, String column) {
        super(reason, null, false, false);
        this.column = column;
    }
}
